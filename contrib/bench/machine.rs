//! The machine: which cores are used, and what a process costs, as the kernel counts it.

use std::fs;
use std::path::Path;
use std::time::Instant;

use rustix::process::{Pid, Resource, getpid, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Outcome;

/// The cores on which servers run, and the one on which the load does: the first that this process
/// may use, and the next; where there is no next one, the load shares the servers' last.
pub fn cores(servers: usize) -> Outcome<(Vec<usize>, usize)> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let of_servers: Vec<usize> = cores.by_ref().take(servers).collect();
    if of_servers.len() < servers {
        return Err(format!("only {} cores may be used", of_servers.len()).into());
    }
    let last = of_servers.last().copied().ok_or("a server needs a core")?;
    Ok((of_servers, cores.next().unwrap_or(last)))
}

/// Stays on these cores from now on; what is started from here does, too.
pub fn pin(cores: &[usize]) -> Outcome<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    Ok(sched_setaffinity(None, &set)?)
}

/// Takes as many open files as the system allows, and says how many.
pub fn raise_open_files() -> Outcome<usize> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(limit.maximum.map_or(usize::MAX, |n| n as usize))
}

/// CPU seconds of a process so far, all its threads together, in itself and in the kernel.
pub fn cpu(pid: Pid) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))?;
    // The name of the program stands in parentheses and may hold anything; utime and stime are the
    // 12th and 13th field after it.
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/PID/stat")?;
    let ticks: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<u64>() as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Context switches of a process so far, all its threads together, whether they waited for something
/// or were made to.
pub fn switches(pid: Pid) -> Outcome<f64> {
    let mut all = 0.0;
    for thread in fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()))? {
        // One that has ended meanwhile has no status.
        let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
        for line in status.lines().filter(|line| line.contains("voluntary_ctxt_switches:")) {
            all += line.rsplit('\t').next().unwrap_or_default().parse::<f64>()?;
        }
    }
    Ok(all)
}

/// KiB of memory that a process holds.
pub fn rss(pid: Pid) -> Outcome<f64> {
    status(pid, "VmRSS:")
}

/// KiB that it held at most since [`forget_peak`].
pub fn peak(pid: Pid) -> Outcome<f64> {
    status(pid, "VmHWM:")
}

/// Has the kernel measure the peak from now on.
pub fn forget_peak(pid: Pid) -> Outcome<()> {
    let path = format!("/proc/{}/clear_refs", pid.as_raw_nonzero());
    Ok(fs::write(path, "5")?)
}

fn status(pid: Pid, name: &str) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("/proc/PID/status")?.parse()?)
}

/// A stretch of time, and what the server and the load spend in it.
pub struct Meter {
    server: Pid,
    start: Instant,
    /// CPU seconds at the start.
    spent: (f64, f64),
}

/// What a [`Meter`] has measured.
#[derive(Clone, Copy)]
pub struct Spent {
    /// Seconds that went by.
    pub seconds: f64,
    /// CPU seconds of the server.
    pub server: f64,
    /// CPU seconds of the load.
    pub load: f64,
}

impl Meter {
    pub fn start(server: Pid) -> Outcome<Meter> {
        Ok(Meter { server, spent: (cpu(server)?, cpu(getpid())?), start: Instant::now() })
    }

    pub fn stop(&self) -> Outcome<Spent> {
        Ok(Spent {
            seconds: self.start.elapsed().as_secs_f64(),
            server: cpu(self.server)? - self.spent.0,
            load: cpu(getpid())? - self.spent.1,
        })
    }
}

/// The processor and the kernel, in a line.
pub fn description() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = cpus.lines().filter(|l| l.starts_with("processor")).count();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

/// The type of the file system that holds a folder: the mount point with the longest path wins.
pub fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let of_line = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        folder.starts_with(&point).then_some((point.len(), kind))
    };
    let found = mounts.lines().filter_map(of_line).max();
    found.map_or_else(|| "unknown".into(), |(_, kind)| kind)
}
