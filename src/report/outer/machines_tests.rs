//! Mail of machines as it really looks: bounces, receipts and absence notes of the servers and programs in use.

use super::*;
use crate::report::keys_fixture_tests::*;

fn read(mail: &str) -> Outer {
    let rules = Rules::new(TEAM, "KATA");
    Outer::read(&Plaintext::from_text(&mail.replace('\n', "\r\n")), &keyring(&[]), &rules)
}

/// Bounces that no standard describes, each with the mail that it returns.
const BOUNCES: &[(&str, &str)] = &[
    (
        "qmail",
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net\nTo: vmt@katacontainers.example\nSubject: failure notice\n\n\
         Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message.\n\n\
         --- Below this line is a copy of the message.\n\nReceived: (qmail 1 invoked)\nMessage-ID: <ours@katacontainers.example>\n\
         Subject: [KATA-2026-0001]\n",
    ),
    (
        "Exim",
        "Return-path: <>\nX-Failed-Recipients: alice@example.org\nAuto-Submitted: auto-replied\n\
         From: Mail Delivery System <Mailer-Daemon@mx.example.net>\nSubject: Mail delivery failed: returning message to sender\n\n\
         This message was created automatically by mail delivery software.\n\n\
         ------ This is a copy of the message, including all the headers. ------\n\nMessage-Id: <ours@katacontainers.example>\n",
    ),
    (
        "Postfix",
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n\
         Auto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n boundary=\"b\"\n\n\
         --b\nContent-Type: text/plain\n\nThis is the mail system\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n\
         --b\nContent-Type: message/rfc822\n\nMessage-ID: <ours@katacontainers.example>\n\nx\n--b--\n",
    ),
    (
        "Exchange Online",
        "From: Microsoft Outlook\n <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.org>\nSubject: Undeliverable: [KATA-2026-0001]\n\
         Auto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: text/html\n\n<p>could not be delivered</p>\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n\
         --b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <ours@katacontainers.example>\n--b--\n",
    ),
    (
        "old Exchange",
        "From: postmaster@corp.example\nSubject: Undeliverable: [KATA-2026-0001]\nContent-Type: text/plain\n\n\
         Your message did not reach some or all of the intended recipients.\n\n> Message-ID: <ours@katacontainers.example>\n",
    ),
    (
        "Gmail",
        "Return-Path: <>\nFrom: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nAuto-Submitted: auto-replied\n\
         Subject: Delivery Status Notification (Failure)\nX-Failed-Recipients: alice@example.org\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; boundary=\"b\"; report-type=delivery-status\n\n--b\nContent-Type: message/rfc822\n\n\
         Message-ID: <ours@katacontainers.example>\n\nx\n--b--\n",
    ),
];

#[test]
fn bounces_of_every_server_are_told_and_name_the_mail_that_came_back() {
    for (server, mail) in BOUNCES {
        let outer = read(mail);
        assert_eq!(outer.nature, Nature::Bounce, "{server}");
        assert!(
            outer.references.contains(&"ours@katacontainers.example".to_owned()),
            "{server}: {:?}",
            outer.references
        );
    }
}

#[test]
fn absence_notes_and_receipts_of_every_program_are_automatic() {
    let from = "From: Eve <eve@example.net>\nTo: vmt@katacontainers.example\n";
    let table = [
        (
            "Gmail's vacation",
            "Subject: Out of office Re: x\nPrecedence: bulk\nX-Autoreply: yes\nAuto-Submitted: auto-replied",
        ),
        ("Exchange", "Subject: Automatic reply: x\nAuto-Submitted: auto-generated\nX-Auto-Response-Suppress: All"),
        ("Sieve", "Subject: Auto: x\nAuto-Submitted: auto-replied (vacation)\nIn-Reply-To: <a@b>"),
        ("BSD vacation", "Subject: away\nPrecedence: bulk\nX-Vacation: yes"),
        (
            "a receipt (RFC 8098)",
            "Subject: Read: x\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b",
        ),
        (
            "a receipt in capitals",
            "Subject: Read: x\nCONTENT-TYPE: MULTIPART/REPORT; REPORT-TYPE=\"Disposition-Notification\"; boundary=b",
        ),
        ("a ticket system", "Subject: [Ticket 1] x\nAuto-Submitted: auto-generated\nX-RT-Loop-Prevention: x"),
        ("cron", "Subject: Cron <root@x>\nAuto-Submitted: auto-generated"),
    ];
    for (program, fields) in table {
        assert_eq!(read(&format!("{from}{fields}\n\ntext\n")).nature, Nature::Automatic, "{program}");
    }
    // A report through a bulk sender's service is still a person's.
    let person = read(&format!("{from}Subject: x\nFeedback-ID: 1.eu-west-1:AmazonSES\n\ntext\n"));
    assert_eq!((person.nature, person.list), (Nature::Personal, false));
}
