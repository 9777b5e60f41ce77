//! `hactl explain`.

use clap::Args;

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use crate::check::Rule;
use crate::ops::{self, Meaning};
use crate::report::{ExitExplanation, ExplainBody, Explanation, RuleExplanation};

/// Explain a rule, an exit code or a key of the inventory.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A rule (KA025), an exit code (4) or a key of the inventory (vrrp.failover)
    #[arg(value_name = "WHAT")]
    what: String,
}

pub(super) fn run(args: &ExplainArgs, app: &App) -> Result<Exit, CliError> {
    let asked = args.what.trim();
    let report = ExplainBody {
        asked: asked.to_owned(),
        explanations: explanations(asked)?,
    };
    app.ui.show("explain", Exit::Done.code(), &report);
    Ok(Exit::Done)
}

fn explanations(asked: &str) -> Result<Vec<Explanation>, CliError> {
    if let Some(exit) = Exit::ALL
        .into_iter()
        .find(|exit| exit.code().to_string() == asked)
    {
        return Ok(vec![of_exit(exit)]);
    }
    match ops::explain(asked) {
        Ok(Meaning::Rule(rule)) => Ok(vec![of_rule(rule)]),
        Ok(Meaning::Keys(keys)) => Ok(keys.into_iter().map(Explanation::Key).collect()),
        Err(near) => Err(unknown(asked, near)),
    }
}

fn of_exit(exit: Exit) -> Explanation {
    Explanation::ExitCode(ExitExplanation {
        code: exit.code(),
        meaning: exit.meaning(),
        remedy: exit.remedy(),
    })
}

fn of_rule(rule: &Rule) -> Explanation {
    Explanation::Rule(RuleExplanation {
        id: rule.id,
        severity: rule.severity,
        verbs: rule.verbs(),
        title: rule.heading(),
        reason: rule.reason,
        fix: rule.fix,
        looks_at: rule.looks_at(),
        why_not_checked: rule.why_not_checked(),
    })
}

fn unknown(asked: &str, near: Option<String>) -> CliError {
    let all = "give a rule (KA025), an exit code (4) or a key of the inventory (vrrp.failover); \
               docs/rules.md, docs/exit-codes.md and docs/inventory.md list them";
    CliError::Usage {
        message: format!("cannot explain '{asked}': there is no such rule, exit code or key"),
        help: near.map_or_else(|| all.to_owned(), |near| format!("did you mean `{near}`?")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_explained() {
        for exit in Exit::ALL {
            let found = explanations(&exit.code().to_string()).unwrap();
            assert!(matches!(&found[..], [Explanation::ExitCode(own)] if own.code == exit.code()));
        }
        assert!(explanations("99").is_err());
    }
}
