//! What goes wrong between the gateway and GitHub, and when.

use super::SERVER_CANARY;
use super::request::Reply;
use std::time::Duration;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Create,
    List,
    Get,
    Patch,
    /// An App asks for an installation token.
    InstallationToken,
    /// An App asks where it is installed.
    Installation,
    App,
    Repository,
    User,
    Person,
    Team,
    RateLimit,
}

impl Kind {
    pub(super) fn of(operation: &str) -> Self {
        match operation {
            "security-advisories/create-repository-advisory" => Self::Create,
            "security-advisories/list-repository-advisories" => Self::List,
            "security-advisories/get-repository-advisory" => Self::Get,
            "security-advisories/update-repository-advisory" => Self::Patch,
            "apps/create-installation-access-token" => Self::InstallationToken,
            "apps/get-repo-installation" => Self::Installation,
            "apps/get-authenticated" => Self::App,
            "repos/get" => Self::Repository,
            "users/get-authenticated" => Self::User,
            "users/get-by-username" => Self::Person,
            "teams/get-by-name" => Self::Team,
            "rate-limit/get" => Self::RateLimit,
            other => panic!("the fake does not know {other}"),
        }
    }
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answered so; nothing is done.
    Status(u16),
    /// Done, and answered so all the same.
    AfterCreation(u16),
    /// The hour's requests are used up (403 or 429): `x-ratelimit-remaining: 0`, and when that ends.
    PrimaryLimit { status: u16, resets_in: Duration },
    /// Too much at once (403 or 429): `retry-after`, if it says when that ends.
    SecondaryLimit { status: u16, retry_after: Option<Duration> },
    /// The connection is reset before anything is done.
    Reset,
    /// The connection is reset when it is done.
    ResetAfterCreation,
    /// No answer for so long, then a reset; nothing is done.
    Stall(Duration),
    /// Done, but no answer for so long, then a reset.
    StallAfterCreation(Duration),
    /// Done, and answered with a body that is no JSON.
    Garbage,
    /// Done, and the connection ends within the answer.
    CutShort,
    /// Done, and the answer takes so long for each octet of its body.
    Trickle(Duration),
    /// Sent on to another server, which must never hear of it.
    Redirect(u16),
    /// The list's next page is on another server, which must never hear of it.
    ForeignNextPage,
    /// Done, and answered after so long.
    Slow(Duration),
    /// It makes two drafts of one request, and answers with this status.
    Twice(u16),
    /// A list without drafts, though there are some.
    EmptyList,
}

/// How an answer gets onto the wire.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Way {
    Whole,
    Reset,
    Stall(Duration),
    CutShort,
    Trickle(Duration),
    Slow(Duration),
}

impl Fault {
    /// Whether the request is carried out before it goes wrong.
    pub(super) fn is_done_first(&self) -> bool {
        !matches!(
            self,
            Self::Status(_)
                | Self::PrimaryLimit { .. }
                | Self::SecondaryLimit { .. }
                | Self::Reset
                | Self::Stall(_)
                | Self::Redirect(_)
        )
    }

    pub(super) fn way(&self) -> Way {
        match self {
            Self::Reset | Self::ResetAfterCreation => Way::Reset,
            Self::Stall(time) | Self::StallAfterCreation(time) => Way::Stall(*time),
            Self::CutShort => Way::CutShort,
            Self::Trickle(time) => Way::Trickle(*time),
            Self::Slow(time) => Way::Slow(*time),
            _ => Way::Whole,
        }
    }
}

/// The answer GitHub gives with such a status, whatever was asked.
pub(super) fn plain(status: u16) -> Reply {
    match status {
        401 => Reply::error(401, "Bad credentials"),
        403 => Reply::error(403, "Resource not accessible by personal access token"),
        404 => Reply::not_found(),
        422 => Reply::invalid("description", "invalid", SERVER_CANARY),
        // The front servers answer in HTML.
        500.. => Reply::new(status, format!("<html><body>Unicorn! {SERVER_CANARY}</body></html>").into()),
        _ => Reply::error(status, "Something else"),
    }
}

/// Which requests go wrong.
#[derive(Default)]
pub(super) struct Plan {
    faults: Vec<(Kind, usize, Fault)>,
}

impl Plan {
    pub(super) fn add(&mut self, kind: Kind, times: usize, fault: Fault) {
        self.faults.push((kind, times, fault));
    }

    pub(super) fn clear(&mut self) {
        self.faults.clear();
    }

    /// The fault that this request meets: the first one planned for its kind that has not happened often enough.
    pub(super) fn next(&mut self, kind: Kind) -> Option<Fault> {
        let (_, times, fault) = self.faults.iter_mut().find(|(planned, times, _)| *planned == kind && *times > 0)?;
        *times -= 1;
        Some(fault.clone())
    }
}
