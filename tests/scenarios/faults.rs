//! What breaks around the gateway: the store for a moment, the mailbox, stored values, the clock, the program that sends.

use crate::world::*;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn arrives(world: &World, name: &str, text: &str) {
    wait_until(&format!("{name} gets {text:?}"), SOON, || !world.members.copies_of(name, text).is_empty());
}

fn notices_of(world: &World, name: &str) -> Vec<Copy> {
    let mut mails = world.members.mails_of(name);
    mails.retain(|copy| copy.says("Kind") == "notice");
    mails
}

/// Lets every write about a mail that is being opened fail, as a full disk would: SQLite then undoes the transaction by itself.
const BREAK_OPENING: [&str; 2] = [
    "CREATE TRIGGER broken BEFORE UPDATE ON mails WHEN OLD.in_flight = 1 BEGIN SELECT RAISE(ROLLBACK, 'broken'); END",
    "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''broken''; END'; \
     CREATE TRIGGER broken BEFORE UPDATE ON mails FOR EACH ROW WHEN (OLD.in_flight = 1) EXECUTE FUNCTION broken()",
];
const MEND_OPENING: [&str; 2] = ["DROP TRIGGER broken", "DROP TRIGGER broken ON mails"];

#[test]
fn a_store_that_takes_no_writes_for_a_while_strands_no_mail() {
    for (database, (broken, mended)) in Database::BOTH.into_iter().zip(BREAK_OPENING.into_iter().zip(MEND_OPENING)) {
        let world = World::new().members(["alice"]).on(database).start();
        let eve = world.reporter("eve");
        let mut daemon = world.gateway.starts();
        world.gateway.receives(report().from(&eve).encrypted().saying("before the fault"));
        arrives(&world, "alice", "before the fault");
        world.sql(broken);
        world.gateway.receives(report().from(&eve).encrypted().saying("during the fault"));
        wait_until("the fault is logged", SOON, || daemon.log().contains("mails could not be opened"));
        world.sql(mended);
        arrives(&world, "alice", "during the fault");
        assert!(daemon.is_running());
        assert_eq!(daemon.terminates().0, Some(0));
        assert_eq!(world.members.copies_of("alice", "during the fault").len(), 1);
    }
}

#[test]
fn the_role_at_a_shared_store_comes_back_after_an_outage() {
    let world = World::new().members(["alice"]).on(Database::Postgres).start();
    let eve = world.reporter("eve");
    let daemon = world.gateway.starts();
    world.gateway.receives(report().from(&eve).encrypted().saying("before the outage"));
    arrives(&world, "alice", "before the outage");
    world.sql("ALTER TABLE roles RENAME TO away");
    wait_until("the role is lost", SOON, || daemon.log().contains("role could not be asked for"));
    world.sql("ALTER TABLE away RENAME TO roles");
    world.gateway.receives(report().from(&eve).encrypted().saying("after the outage"));
    arrives(&world, "alice", "after the outage");
    assert_eq!(daemon.terminates().0, Some(0));
}

#[test]
fn a_store_that_does_not_answer_does_not_hold_up_the_end() {
    let world = World::new().members(["alice"]).on(Database::Postgres).start();
    let daemon = world.gateway.starts();
    wait_until("it runs", SOON, || daemon.log().contains("embargod is running"));
    let (code, time) = world.while_locked("LOCK TABLE outbox, mails, roles IN ACCESS EXCLUSIVE MODE", || {
        std::thread::sleep(Duration::from_secs(3));
        daemon.terminates()
    });
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(10), "it took {time:?}");
}

#[test]
fn mails_come_in_though_none_can_be_taken_off_the_mailbox() {
    let world = World::new().members(["alice"]).start();
    let eve = world.reporter("eve");
    let archive = world.layout.mailbox.join(".Archive");
    std::fs::write(&archive, "in the way").unwrap();
    // More than are taken in at a time.
    let texts: Vec<String> = (0..36).map(|number| format!("stays for now {number};")).collect();
    for text in &texts {
        world.gateway.receives(report().from(&eve).encrypted().saying(text));
    }
    let ran = world.gateway.runs_once_and_leaves_work();
    assert_eq!(ran.human().matches("stays in the mailbox").count(), 1, "it is said once:\n{}", ran.human());
    assert_eq!(world.waiting_in_mailbox(), texts.len());
    std::fs::remove_file(&archive).unwrap();
    world.gateway.runs_once();
    assert_eq!(world.waiting_in_mailbox(), 0);
    for text in &texts {
        assert_eq!(world.members.copies_of("alice", text).len(), 1, "{text}");
    }
}

#[test]
fn a_damaged_value_costs_its_own_mail_and_is_told() {
    let damages = [
        "UPDATE mails SET facts = X'01020304' WHERE case_id = 'KATA-YEAR-0001'",
        "UPDATE cases SET contact = X'01020304' WHERE id = 'KATA-YEAR-0001'",
        "UPDATE drafts SET body = X'01020304' WHERE case_id = 'KATA-YEAR-0001'",
    ];
    let world = World::new().members(["alice", "bob"]).start();
    let eve = world.reporter("eve");
    for (number, damage) in damages.into_iter().enumerate() {
        let (hurt, sound) = (format!("hurt {number};"), format!("sound {number};"));
        // Nothing leaves until the damage is done.
        let paths = [&world.layout.outgoing, &world.layout.drafts];
        let aside = |path: &std::path::Path| path.with_extension("aside");
        for path in paths {
            let _ = std::fs::rename(path, aside(path));
            std::fs::write(path, "in the way").unwrap();
        }
        for text in [&hurt, &sound] {
            world.gateway.receives(report().from(&eve).encrypted().saying(text));
        }
        world.gateway.runs_once_and_leaves_work();
        let cases = world.gateway.lists(&["cases", "list"]);
        let mut names: Vec<_> = cases.iter().map(|case| case["case"].as_str().unwrap().to_owned()).collect();
        names.sort();
        world.sql(&damage.replace("KATA-YEAR-0001", &names[2 * number]));
        for path in paths {
            std::fs::remove_file(path).unwrap();
            let _ = std::fs::rename(aside(path), path);
        }
        world.sql("UPDATE outbox SET due = 1 WHERE state = 'pending'");
        world.gateway.does(&["run", "--once"]).ends_with(0);
        world.gateway.does(&["run", "--once"]).ends_with(0);
        for name in ["alice", "bob"] {
            assert_eq!(world.members.copies_of(name, &sound).len(), 1, "{damage}: {name}");
            let notices = notices_of(&world, name);
            let told = notices.iter().filter(|notice| notice.shows("cannot be read")).count();
            assert_eq!(told, number + 1, "{damage}: {name}");
        }
        let failed = world.gateway.lists(&["queue", "list"]);
        assert!(failed.iter().any(|row| row["why"] == "unreadable"), "{damage}: {failed:?}");
    }
}

#[test]
fn times_from_a_clock_that_was_wrong_hold_nothing_back() {
    for database in Database::BOTH {
        let world = World::new().members(["alice"]).on(database).start();
        let eve = world.reporter("eve");
        let _ = std::fs::remove_dir_all(&world.layout.outgoing);
        std::fs::write(&world.layout.outgoing, "in the way").unwrap();
        world.gateway.receives(report().from(&eve).encrypted().saying("from the future"));
        world.gateway.runs_once_and_leaves_work();
        std::fs::remove_file(&world.layout.outgoing).unwrap();
        let year = 366 * 86_400_000_i64;
        world.sql(&format!(
            "UPDATE outbox SET due = due + {year}, created = created + {year}, owner = 'someone', \
             lease_until = due + {year} WHERE state = 'pending'"
        ));
        world.sql(&format!("UPDATE drafts SET opened = opened + {year}"));
        world.sql(&format!("UPDATE roles SET until = {year} * 100, owner = 'someone'"));
        world.reconfigure(|settings| settings.max_per_hour = 1);
        world.gateway.receives(report().from(&eve).encrypted().saying("from the present"));
        world.gateway.runs_once();
        for text in ["from the future", "from the present"] {
            assert_eq!(world.members.copies_of("alice", text).len(), 1, "{text}");
        }
        assert_eq!(world.drafts().len(), 2);
    }
}

#[test]
fn a_program_that_refuses_one_member_stops_no_other_and_is_told_once() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let out = world.layout.outgoing.display();
    let script = format!(
        "#!/bin/sh\nfor last; do :; done\ncase $last in carol@*) cat >/dev/null; exit 67;; esac\n\
         mkdir -p {out}/$last/tmp {out}/$last/new {out}/$last/cur\nsed 's/$/\r/' >{out}/$last/tmp/$$ && mv {out}/$last/tmp/$$ {out}/$last/new/$$\n"
    );
    let program = world.layout.scratch.join("sendmail");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let config = std::fs::read_to_string(world.gateway.config()).unwrap();
    let (before, after) = (format!("kind = \"maildir\"\npath = \"{out}\""), program.display());
    assert!(config.contains(&before));
    let config = config.replace(&before, &format!("kind = \"sendmail\"\ncommand = \"{after}\""));
    std::fs::write(world.gateway.config(), config).unwrap();
    let mut said = String::new();
    for number in 0..3 {
        world.gateway.receives(report().from(&eve).encrypted().saying(&format!("refused for one {number};")));
        said += &world.gateway.does(&["run", "--once"]).ends_with(0).said();
    }
    assert!(!said.contains(&eve.address) && !said.contains("carol@"), "nobody's address is logged");
    for name in ["alice", "bob"] {
        for number in 0..3 {
            assert_eq!(world.members.copies_of(name, &format!("refused for one {number};")).len(), 1);
        }
        let notices = notices_of(&world, name);
        assert_eq!(notices.iter().filter(|notice| notice.shows("was refused for good")).count(), 1, "{name}");
    }
    let failed = world.gateway.lists(&["queue", "list"]);
    let copies = failed.iter().filter(|row| row["kind"] == "copy" && row["state"] == "failed").count();
    assert_eq!(copies, 3, "{failed:?}");
}
