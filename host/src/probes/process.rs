//! What the kernel says of this process, under the names that all Prometheus clients use.

use rustix::param::{clock_ticks_per_second, page_size};

use super::Metrics;

/// Adds them; what cannot be read is left out.
pub(super) fn add(metrics: &mut Metrics) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let stat = Stat::parse(&read("/proc/self/stat"));
    let booted = number_after(&read("/proc/stat"), "btime ");
    if let Some(stat) = stat {
        metrics.counted_seconds(
            "process_cpu",
            "CPU time that was used",
            in_seconds(stat.cpu),
        );
        let started = booted.map(|booted| booted + in_seconds(stat.started));
        let help = "When the process was started, since 1970";
        metrics.seconds("process_start_time_seconds", help, started);
    }
    let resident = read("/proc/self/statm");
    let resident: Option<u64> = resident
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    let resident = resident.map(|pages| pages.saturating_mul(page_size() as u64));
    metrics.number(
        "process_resident_memory_bytes",
        "Memory that is in use",
        resident.and_then(|bytes| i64::try_from(bytes).ok()),
    );
    let open = std::fs::read_dir("/proc/self/fd").ok();
    metrics.number(
        "process_open_fds",
        "Files and connections that are open",
        // Without the one by which they are counted.
        open.and_then(|open| i64::try_from(open.count().saturating_sub(1)).ok()),
    );
}

/// In ticks of the kernel's clock.
#[derive(PartialEq, Eq, Debug)]
struct Stat {
    cpu: u64,
    started: u64,
}

impl Stat {
    /// Of `/proc/PID/stat` (proc(5)); the name of the program may hold anything.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(") ")?;
        let field = |number: usize| fields.split(' ').nth(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu: field(14)?.saturating_add(field(15)?),
            started: field(22)?,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^52 ticks are a million years")]
fn in_seconds(ticks: u64) -> f64 {
    ticks as f64 / clock_ticks_per_second().max(1) as f64
}

fn number_after(text: &str, name: &str) -> Option<f64> {
    let found = text.lines().find_map(|line| line.strip_prefix(name))?;
    found.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let text = "7 (a) b) c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 3 0 12345 99 100";
        let stat = Stat {
            cpu: 300,
            started: 12_345,
        };
        assert_eq!(Stat::parse(text), Some(stat));
        for bad in ["", "7 (a) S", "no"] {
            assert_eq!(Stat::parse(bad), None, "{bad}");
        }
    }
}
