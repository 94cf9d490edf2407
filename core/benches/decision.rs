//! What one beat costs as the number of heartbeats grows: `cargo bench -p lvmbeat-core`.
#![expect(clippy::unwrap_used, reason = "a configuration of its own")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use embassy_time::{Duration, Instant};
use lvmbeat_core::emission::Pace;
use lvmbeat_core::{Config, Supervisor};

const PACE: Pace = Pace {
    cutoff: Duration::from_secs(10),
    retry: Duration::from_secs(1),
    plc_timeout: Duration::from_secs(60),
};

/// Watches that many critical heartbeats.
fn supervisor(count: usize, now: Instant) -> Supervisor<64, 4> {
    let mut config = Config::new(Duration::from_secs(2), PACE)
        .with_path_limit(Duration::from_secs(5))
        .with_burst(Duration::from_secs(1));
    for number in 0..count {
        let name = format!("heartbeat-{number}");
        config
            .add_heartbeat(&name, true, Duration::from_secs(30))
            .unwrap();
    }
    Supervisor::new(config, now)
}

fn beats(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("beat");
    for count in [1, 4, 16, 64] {
        let mut now = Instant::from_secs(1000);
        let mut supervisor = supervisor(count, now);
        // The last one is found last.
        let name = format!("heartbeat-{}", count - 1);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                now += Duration::from_millis(1);
                supervisor.path_proven(now);
                supervisor.beat(&name, now)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, beats);
criterion_main!(benches);
