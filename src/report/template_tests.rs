use super::*;

const COMPONENTS: [&str; 2] = ["runtime", "Agent"];

fn read(text: &str) -> Template {
    Template::read(text, &COMPONENTS.map(str::to_owned))
}

#[test]
fn a_filled_in_template_yields_every_checked_field() {
    let read = read(
        "Hello,\n\nComponent: agent\nAffected versions: >=3.0.0 <3.2.1\nFixed in: 3.2.1, v3.3.0-rc1\n\
         CVSS: CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H\nCWE: CWE-787, cwe-121\nEcosystem: Go\n\
         Package: github.com/kata-containers/kata-containers\nCredit: @octo-cat\n",
    );
    assert_eq!(read.component(), Some("Agent"), "as configured");
    assert_eq!(read.affected.as_deref(), Some(">= 3.0.0, < 3.2.1"));
    assert_eq!(read.patched.as_deref(), Some("3.2.1, v3.3.0-rc1"));
    assert_eq!(read.cvss.as_deref(), Some("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H"));
    assert_eq!(read.cwes, ["CWE-787", "CWE-121"]);
    assert_eq!(read.ecosystem, Some("go"));
    assert_eq!(read.package.as_deref(), Some("github.com/kata-containers/kata-containers"));
    assert!(matches!(&read.credit, Credit::Login(login) if login == "octo-cat"));
}

#[test]
fn the_first_line_of_a_name_counts_and_later_ones_are_prose() {
    let read = read("component: nothing of ours\nComponent: runtime\nCWE: CWE-79\nCWE: CWE-20\n");
    assert_eq!(read.component(), None);
    assert_eq!(read.cwes, ["CWE-79"]);
}

#[test]
fn what_is_not_a_version_range_is_prose() {
    for value in [
        "all versions",
        "everything before 3.2",
        "eve.example",
        "alice-smith-1",
        "4915112345678",
        "1.0; drop table",
        "1.0 <script>",
        "<",
        ">= 1.0 ||",
        "",
        "https://example.org/1.0",
        "1.0 – 2.0",
        &"1.0, ".repeat(30),
        &format!("1.{}", "0".repeat(60)),
    ] {
        assert_eq!(read(&format!("Affected: {value}\n")).affected, None, "{value}");
    }
}

#[test]
fn version_ranges_are_written_in_one_form() {
    for (value, written) in [
        ("3.2.1", "3.2.1"),
        ("< 3.2.1", "< 3.2.1"),
        ("<3.2.1,>=3.0", "< 3.2.1, >= 3.0"),
        (">=1.0<2.0", ">= 1.0, < 2.0"),
        ("v2.5.0-alpha1+build.7", "v2.5.0-alpha1+build.7"),
        ("20240131", "20240131"),
        ("= v0.0.0-20191109021931-daa7c04131f5", "= v0.0.0-20191109021931-daa7c04131f5"),
    ] {
        assert_eq!(read(&format!("Affected: {value}\n")).affected.as_deref(), Some(written), "{value}");
    }
}

#[test]
fn only_a_complete_base_vector_is_a_cvss_value() {
    for good in [
        "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H",
    ] {
        assert_eq!(read(&format!("CVSS: {good} (high)\n")).cvss.as_deref(), Some(good));
        assert_eq!(read(&format!("{good}\n")).cvss.as_deref(), Some(good), "on a line of its own");
    }
    for bad in [
        "9.8",
        "CVSS:3.1/AV:N/AC:L",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:X",
        "CVSS:3.1/AV:N/AV:N/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "AV:N/AC:L/Au:N/C:C/I:C/A:C",
        "CVSS:3.é/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    ] {
        assert_eq!(read(&format!("CVSS: {bad}\n")).cvss, None, "{bad}");
    }
}

#[test]
fn a_package_needs_an_ecosystem_that_github_knows() {
    assert_eq!(read("Package: left-pad\n").package, None);
    assert_eq!(read("Ecosystem: debian\nPackage: left-pad\n").package, None);
    assert_eq!(read("Ecosystem: NPM\nPackage: @scope/left-pad\n").package.as_deref(), Some("@scope/left-pad"));
    assert_eq!(read("Ecosystem: npm\nPackage: <b>left</b>\n").package, None);
}

#[test]
fn credit_is_a_name_a_login_or_none() {
    let credit = |value: &str| read(&format!("Credit: {value}\n")).credit;
    assert!(matches!(credit("Éve Näme (ACME)"), Credit::Name(name) if name.as_str() == "Éve Näme (ACME)"));
    for none in [
        "none",
        "None",
        "@-x",
        "@a--b",
        "@a b",
        "eve@example.org",
        "Eve <eve@example.org>",
        "+49 170 1234567",
        "Eve \u{202e}evil",
        "Eve\u{200b}",
        "1234",
    ] {
        assert!(matches!(credit(none), Credit::No), "{none}");
    }
    assert!(matches!(credit(&"n".repeat(101)), Credit::No));
    assert!(matches!(credit(&format!("@{}", "n".repeat(40))), Credit::No));
}
