//! `embargod receive`, as a mail server's pipe calls it.

use crate::world::*;

#[test]
fn a_piped_mail_is_sealed_at_once_and_delivered_by_the_next_run() {
    for database in Database::BOTH {
        let world = World::of_three().on(database).start();
        let eve = world.reporter("eve");
        let (_, ran) = world.gateway.is_piped(report().from(&eve).saying("piped in the clear"));
        ran.ends_with(0);
        world.nothing_outside_contains("piped in the clear");
        world.nothing_outside_contains(&eve.address);
        assert!(process::files_below(&world.layout.outgoing).is_empty(), "receive delivers nothing");
        world.gateway.runs_once();
        world.members.each_can_read("piped in the clear");
        world.gateway.runs_once();
        world.members.each_can_read("piped in the clear");
        world.outbox_is_empty();
    }
}

#[test]
fn receive_needs_no_secret() {
    let variable = "EMBARGOD_TEST_PASSPHRASE";
    let world = World::of_three().with(move |s| s.gateway_keys[0].passphrase_env = Some(variable.into())).start();
    let (eve, locked) = (world.reporter("eve"), world.locked_actor("locked", TEAM, "correct horse"));
    std::fs::write(world.etc("keys/gateway/first.sec.asc"), locked.secret_key()).unwrap();
    *world.gateway.certificate.lock().unwrap() = locked.certificate();
    // Only `run` is told the passphrase.
    world.gateway.is_piped(report().from(&eve).encrypted().saying("no secret needed")).1.ends_with(0);
    let mut run = world.gateway.command(&["run", "--once"]);
    world.gateway.finish(run.env(variable, "correct horse"), b"").ends_with(0);
    world.members.each_can_read("no secret needed");
    world.nothing_outside_contains("correct horse");
}

#[test]
fn receive_says_75_when_the_gateways_certificate_is_missing_and_keeps_nothing_in_clear() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    std::fs::remove_file(world.etc("keys/gateway/first.sec.asc")).unwrap();
    let (_, ran) = world.gateway.is_piped(report().from(&eve).saying("come back later"));
    let ran = ran.ends_with(75);
    assert!(
        ran.human().contains("embargod check"),
        "it says where to look, and names no file to the sender:\n{}",
        ran.human()
    );
    world.nothing_outside_contains("come back later");
}

#[test]
fn receive_says_75_for_a_configuration_that_cannot_be_read() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.reconfigure(|settings| settings.last_lines = "\n[nonsense]\nkey = 1\n".into());
    world.gateway.is_piped(report().from(&eve).saying("come back later")).1.ends_with(75);
}

#[test]
fn receive_says_75_when_it_cannot_write_a_whole_file() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let mail = report().from(&eve).saying(&"a long report ".repeat(3000)).write(&world.gateway.key.certificate());
    // No file may grow beyond 8 KiB, and the signal for it is ignored: writes fail as on a full disk.
    let mut limited = world.gateway.command(&["receive"]);
    let program = limited.get_program().to_owned();
    let args: Vec<_> = limited.get_args().map(std::ffi::OsStr::to_owned).collect();
    let envs: Vec<_> = limited.get_envs().map(|(k, v)| (k.to_owned(), v.map(std::ffi::OsStr::to_owned))).collect();
    limited = std::process::Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"]).arg(program).args(args);
    for (name, value) in envs {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.env("RUST_LOG", "warn");
    world.gateway.finish(&mut limited, &mail.raw).ends_with(75);
    world.gateway.runs_once();
    world.members.nobody_can_read("a long report");
    world.gateway.does_with(&["receive"], &mail.raw).ends_with(0);
    world.gateway.runs_once();
    world.members.each_can_read("a long report");
}

/// A small file system that is full, unmounted at the end.
struct FullDisk(std::path::PathBuf);

impl FullDisk {
    /// Nothing where this user may not mount.
    fn mounted_at(folder: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&folder).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"]).arg(&folder);
        mount.output().is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    fn fill(&self) {
        let _ = std::fs::write(self.0.join("ballast"), vec![0; 1 << 20]);
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn receive_says_75_on_a_full_disk_and_0_when_there_is_room_again() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let Some(disk) = FullDisk::mounted_at(world.gateway.state()) else {
        println!("skipped: this user may not mount; the file size limit above tests the same");
        return;
    };
    disk.fill();
    let (sent, ran) = world.gateway.is_piped(report().from(&eve).saying("no room for me"));
    ran.ends_with(75);
    disk.free();
    world.gateway.does_with(&["receive"], &sent.raw).ends_with(0);
}

#[test]
fn a_mail_that_comes_by_pipe_and_by_mailbox_is_delivered_once() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let (sent, ran) = world.gateway.is_piped(report().from(&eve).encrypted().saying("two ways in"));
    ran.ends_with(0);
    world.gateway.finds_in_mailbox(&sent.raw);
    // An MTA that did not hear the 0 tries again, with another trace line.
    let again =
        [b"Received: from again.example by mx.example.org; Mon, 2 Nov 2026 10:05:00 +0000\r\n", &sent.raw[..]].concat();
    world.gateway.does_with(&["receive"], &again).ends_with(0);
    world.gateway.runs_once();
    world.members.each_can_read("two ways in");
    assert_eq!(world.mails_to(&eve.address).len(), 1);
}

#[test]
fn a_mail_beyond_the_accepted_size_is_not_swallowed_silently() {
    let world = World::of_three().with(|settings| settings.last_lines = "max_size = \"64 KiB\"\n".into()).start();
    let eve = world.reporter("eve");
    let (_, ran) = world.gateway.is_piped(report().from(&eve).saying(&"much too long ".repeat(10_000)));
    match ran.code {
        Some(0) => {
            world.gateway.runs_once();
            let mails = world.members.mails_of("alice");
            assert!(mails.iter().any(|copy| copy.shows("too-large") || copy.shows("size")), "the members are told");
        }
        code => assert!(code == Some(75) || code == Some(1), "{code:?}: the mail server keeps or bounces it"),
    }
}
