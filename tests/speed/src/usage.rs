//! What a process has used, from `/proc`.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time and voluntary switches of all threads of a process so far.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// How often a thread of it went to sleep, and so was woken.
    pub(crate) wakeups: u64,
}

impl Usage {
    pub(crate) fn of(process: u32) -> Self {
        let threads = fs::read_dir(format!("/proc/{process}/task"));
        let threads = threads.into_iter().flatten().flatten();
        threads.fold(Self::default(), |sum, thread| {
            let read = |name| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
            let ran = read("schedstat");
            let ran = ran.split_whitespace().next().and_then(|it| it.parse().ok());
            Self {
                cpu: sum.cpu + Duration::from_nanos(ran.unwrap_or_default()),
                wakeups: sum.wakeups + field(&read("status"), "voluntary_ctxt_switches:"),
            }
        })
    }

    /// What was used since then.
    pub(crate) fn since(self, then: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(then.cpu),
            wakeups: self.wakeups.saturating_sub(then.wakeups),
        }
    }
}

/// Resident memory in bytes.
pub(crate) fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    field(&status, "VmRSS:") * 1024
}

/// CPU time of this thread.
pub(crate) fn own_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// `name value` in a file of lines.
fn field(lines: &str, name: &str) -> u64 {
    let line = lines.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    value.unwrap_or_default()
}
