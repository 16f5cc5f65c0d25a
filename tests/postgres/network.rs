//! Machines in network namespaces of their own, and a router in another that can lose all packets from
//! one machine to another, with nobody told. Nothing outside these namespaces is touched, and they
//! are gone with the test. Needs root, and ip (iproute2).

use std::fs::{self, File};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::{self, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// See the module documentation.
pub struct Network {
    router: File,
    machines: Vec<File>,
    /// From and to which machines packets are lost.
    lost: Vec<(usize, usize)>,
}

const ROUTER: &str = "10.0.0.254";

/// Where a machine is.
pub fn address(machine: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, u8::try_from(machine).unwrap() + 1)
}

/// Has this thread be in a new namespace, which lasts as long as the file.
fn begin_namespace() -> File {
    // SAFETY: threads share their files as before.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("root may do that");
    File::open("/proc/thread-self/ns/net").unwrap()
}

fn enter(namespace: &File) {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

/// Runs commands of ip where this thread is.
fn ip(commands: &str) {
    let mut ip = Command::new("ip");
    ip.args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut ip = ip.spawn().expect("ip is installed");
    ip.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    let done = ip.wait_with_output().unwrap();
    assert!(done.status.success(), "{commands}{}", String::from_utf8_lossy(&done.stderr));
}

impl Network {
    /// With so many machines. This thread, and those that it starts from then on, are at the router.
    pub fn start(count: usize) -> Network {
        let router = begin_namespace();
        let machines: Vec<File> = (0..count).map(|_| begin_namespace()).collect();
        enter(&router);
        for (n, machine) in machines.iter().enumerate() {
            let there = format!("/proc/{}/fd/{}", process::id(), machine.as_raw_fd());
            ip(&format!(
                "link add m{n} type veth peer name eth0 netns {there}
                 address add {ROUTER}/32 dev m{n}
                 link set m{n} up
                 route add {}/32 dev m{n}\n",
                address(n)
            ));
        }
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let network = Network { router, machines, lost: Vec::new() };
        for n in 0..count {
            let commands = format!(
                "link set lo up
                 address add {}/32 dev eth0
                 link set eth0 up
                 route add {ROUTER}/32 dev eth0
                 route add default via {ROUTER}\n",
                address(n)
            );
            network.on(n, || ip(&commands));
        }
        network
    }

    /// Does something on a machine. What is started there stays there.
    pub fn on<T>(&self, machine: usize, does: impl FnOnce() -> T) -> T {
        enter(&self.machines[machine]);
        let done = does();
        enter(&self.router);
        done
    }

    /// From now on all is lost that one of the first sends to one of the others.
    pub fn lose(&mut self, from: &[usize], to: &[usize]) {
        let pairs = from.iter().flat_map(|from| to.iter().map(|to| (*from, *to)));
        let pairs: Vec<_> = pairs.filter(|(from, to)| from != to).collect();
        ip(&rules("add", &pairs));
        self.lost.extend(pairs);
    }

    /// The same, both ways.
    pub fn part(&mut self, some: &[usize], others: &[usize]) {
        self.lose(some, others);
        self.lose(others, some);
    }

    /// From now on nothing is lost.
    pub fn heal(&mut self) {
        ip(&rules("delete", &self.lost));
        self.lost.clear();
    }
}

/// A blackhole is silent. The router itself has another address.
fn rules(what: &str, pairs: &[(usize, usize)]) -> String {
    let rule = |(from, to): &(usize, usize)| {
        format!("rule {what} from {} to {} blackhole\n", address(*from), address(*to))
    };
    pairs.iter().map(rule).collect()
}
