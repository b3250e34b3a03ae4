//! The daemon as a systemd service: what it tells the service manager.

use crate::world::*;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

/// Where systemd listens.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn new(world: &World) -> Self {
        let socket = UnixDatagram::bind(world.gateway.file("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        Self { socket, heard: Vec::new() }
    }

    /// Waits for a message with this line, from now on.
    fn hears(&mut self, line: &str) -> String {
        let start = Instant::now();
        while start.elapsed() < SOON {
            let mut octets = [0; 4096];
            let Ok(length) = self.socket.recv(&mut octets) else { continue };
            let message = String::from_utf8(octets[..length].to_vec()).unwrap();
            self.heard.push(message.clone());
            if message.lines().any(|said| said == line) {
                return message;
            }
        }
        panic!("{line} was not said; heard: {:?}", self.heard);
    }
}

fn service(world: &World) -> crate::world::daemon::Daemon {
    let socket = world.gateway.file("notify").display().to_string();
    world.gateway.starts_with(&[("NOTIFY_SOCKET", &socket), ("WATCHDOG_USEC", "900000")])
}

#[test]
fn the_service_manager_hears_when_the_daemon_is_ready_reloads_and_stops() {
    let world = World::of_three().start();
    let mut manager = Manager::new(&world);
    let daemon = service(&world);
    manager.hears("READY=1");
    daemon.reloads();
    let reloading = manager.hears("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.hears("READY=1");
    world.gateway.spoils_config();
    daemon.reloads();
    manager.hears("RELOADING=1");
    let refused = manager.hears("READY=1");
    assert!(refused.contains("old configuration"), "{refused}");
    let stopped = std::thread::spawn(move || daemon.terminates().0);
    manager.hears("STOPPING=1");
    assert_eq!(stopped.join().unwrap(), Some(0));
}

#[test]
fn the_watchdog_is_fed_while_the_daemon_works_and_idles_and_not_when_it_is_frozen() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let mut manager = Manager::new(&world);
    let daemon = service(&world);
    manager.hears("READY=1");
    world.gateway.receives(report().from(&eve).encrypted().saying("fed"));
    for _ in 0..8 {
        manager.hears("WATCHDOG=1");
    }
    wait_until("the mail is delivered", SOON, || !world.members.copies_of("alice", "fed").is_empty());
    daemon.freezes();
    while manager.socket.recv(&mut [0; 4096]).is_ok() {}
    std::thread::sleep(Duration::from_secs(1));
    assert!(manager.socket.recv(&mut [0; 4096]).is_err(), "a frozen daemon says nothing");
    daemon.thaws();
    manager.hears("WATCHDOG=1");
}

#[test]
fn the_service_manager_is_told_nothing_of_a_report() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let mut manager = Manager::new(&world);
    let daemon = service(&world);
    manager.hears("READY=1");
    world.gateway.receives(report().from(&eve).encrypted().saying("canary"));
    wait_until("the mail is delivered", SOON, || !world.members.copies_of("alice", "canary").is_empty());
    manager.hears("WATCHDOG=1");
    assert_eq!(daemon.terminates().0, Some(0));
    for message in manager.heard {
        let known = ["READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS="];
        assert!(message.lines().all(|line| known.iter().any(|known| line.starts_with(known))), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
}
