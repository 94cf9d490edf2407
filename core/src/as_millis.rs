//! How durations are shown: whole milliseconds.

use embassy_time::{Duration, TICK_HZ};
use serde::Serializer;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(crate) fn duration<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(millis(*value))
}

/// As `Duration::as_millis`, which overflows for long durations where a tick is not a fraction of a millisecond.
fn millis(value: Duration) -> u64 {
    let seconds = value.as_ticks() / TICK_HZ;
    let rest = value.as_ticks() % TICK_HZ;
    seconds
        .saturating_mul(1000)
        .saturating_add(rest.saturating_mul(1000) / TICK_HZ)
}
