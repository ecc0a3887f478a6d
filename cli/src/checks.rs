//! The results of checks of a deployment, each with what to do next. `doctor` prints them as a table or as JSON; another
//! command that reads a stack reports only what is wrong.

use std::process::ExitCode;

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::console;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Ok,
    /// Events get through, but something is wrong.
    Warning,
    /// Events do not get through.
    Failed,
    /// Not checked, because it was impossible or not wanted.
    Skipped,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    const fn color(self) -> Color {
        match self {
            Self::Ok => Color::Green,
            Self::Warning | Self::Skipped => Color::Yellow,
            Self::Failed => Color::Red,
        }
    }
}

/// One check.
#[derive(Clone, Debug, Serialize)]
struct Check {
    name: String,
    status: Status,
    detail: String,
    /// What to do, unless the status is ok.
    next: Option<String>,
}

/// All checks of a run, in the order they were made.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Checks {
    checks: Vec<Check>,
}

impl Checks {
    pub(crate) fn ok(&mut self, name: &str, detail: impl Into<String>) {
        self.add(name, Status::Ok, detail, None);
    }

    pub(crate) fn warning(&mut self, name: &str, detail: impl Into<String>, next: impl Into<String>) {
        self.add(name, Status::Warning, detail, Some(next.into()));
    }

    pub(crate) fn failed(&mut self, name: &str, detail: impl Into<String>, next: impl Into<String>) {
        self.add(name, Status::Failed, detail, Some(next.into()));
    }

    pub(crate) fn skipped(&mut self, name: &str, detail: impl Into<String>, next: impl Into<String>) {
        self.add(name, Status::Skipped, detail, Some(next.into()));
    }

    fn add(&mut self, name: &str, status: Status, detail: impl Into<String>, next: Option<String>) {
        console::progress(format_args!("{name}: {}", status.name()));
        self.checks.push(Check { name: name.to_owned(), status, detail: detail.into(), next });
    }

    fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// Failure if any check failed. Warnings do not count.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.count(Status::Failed) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// What is not as it should be, each with what to do.
    pub(crate) fn problems(&self) -> Vec<String> {
        let wrong = self.checks.iter().filter(|check| matches!(check.status, Status::Warning | Status::Failed));
        let text = |check: &Check| {
            let next = check.next.as_ref().map_or_else(String::new, |next| format!(". {next}"));
            format!("{}: {}{next}", check.name, check.detail)
        };
        wrong.map(text).collect()
    }

    /// Prints everything.
    pub(crate) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        console::progress("");
        if as_json {
            console::line(serde_json::to_string(self)?);
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        for check in &self.checks {
            let next = check.next.as_ref().map_or_else(String::new, |next| format!("\n-> {next}"));
            table.add_row([
                Cell::new(check.status.name()).fg(check.status.color()).set_alignment(CellAlignment::Left),
                Cell::new(&check.name),
                Cell::new(format!("{}{next}", check.detail)),
            ]);
        }
        // A closed pipe is not an error.
        let _ = console::styled_line(table.trim_fmt());
        let (failed, warnings) = (self.count(Status::Failed), self.count(Status::Warning));
        console::line(format_args!("\n{failed} failed, {warnings} warnings, {} ok", self.count(Status::Ok)));
        Ok(())
    }
}
