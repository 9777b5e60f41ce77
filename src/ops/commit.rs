//! The Git commit of an inventory.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use crate::remote::local_answer;

/// The first twelve digits of the commit that the inventory's repository is at. A `+` follows if tracked files have
/// been modified or the inventory is not tracked, a `?` if that is unknown because git is not installed or does not
/// trust the folder. `None` outside a repository, and before its first commit.
pub(super) fn git_commit(inventory: &Utf8Path) -> Option<String> {
    let inventory = inventory.canonicalize_utf8().ok()?;
    let folder = inventory.parent()?;
    let short = |commit: &str| -> Option<String> {
        let commit = commit.trim();
        let is_commit = commit.len() >= 12 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_commit.then(|| commit[..12].to_owned())
    };
    let git = |arguments: &[&str]| git(folder, arguments);
    let Some(commit) = git(&["rev-parse", "--verify", "HEAD"]) else {
        return short(&commit_on_disk(folder)?).map(|commit| format!("{commit}?"));
    };
    let modified = git(&["status", "--porcelain", "--untracked-files=no"]);
    let tracked = git(&["ls-files", "--error-unmatch", "--", inventory.as_str()]);
    let is_clean = modified.is_some_and(|lines| lines.is_empty()) && tracked.is_some();
    Some(format!(
        "{}{}",
        short(&commit)?,
        if is_clean { "" } else { "+" }
    ))
}

/// Output of git. `None` if it fails or is not installed. It takes no lock in the repository.
fn git(folder: &Utf8Path, arguments: &[&str]) -> Option<String> {
    let mut argv = vec!["git", "--no-optional-locks", "-C", folder.as_str()];
    argv.extend(arguments);
    local_answer(&argv)
}

/// The commit that HEAD points to, read from Git's own files. Supports worktrees and packed refs.
fn commit_on_disk(folder: &Utf8Path) -> Option<String> {
    let entry = folder.ancestors().map(|dir| dir.join(".git"));
    let entry = entry.into_iter().find(|entry| entry.exists())?;
    let own = if entry.is_dir() {
        entry
    } else {
        let text = fs::read_to_string(&entry).ok()?;
        entry.parent()?.join(text.strip_prefix("gitdir:")?.trim())
    };
    let head = fs::read_to_string(own.join("HEAD")).ok()?;
    let Some(reference) = head.trim().strip_prefix("ref: ") else {
        return Some(head);
    };
    // A worktree's refs are in its main repository.
    let common = match fs::read_to_string(own.join("commondir")) {
        Ok(text) => own.join(text.trim()),
        Err(_) => own.clone(),
    };
    let loose = [&own, &common].map(|dir: &Utf8PathBuf| fs::read_to_string(dir.join(reference)));
    if let Some(commit) = loose.into_iter().find_map(Result::ok) {
        return Some(commit);
    }
    let packed = fs::read_to_string(common.join("packed-refs")).ok()?;
    packed.lines().find_map(|line| {
        let (commit, name) = line.split_once(' ')?;
        (name == reference).then(|| commit.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new() -> Self {
            let repository = Self(tempfile::tempdir().unwrap());
            repository.git(&["init", "-q", "-b", "main", "."]);
            fs::write(repository.path("hactl.yml"), "cluster: web\n").unwrap();
            fs::write(repository.path("notes"), "one\n").unwrap();
            repository.git(&["add", "."]);
            repository.git(&["commit", "-qm", "First"]);
            repository
        }

        fn path(&self, name: &str) -> Utf8PathBuf {
            Utf8Path::from_path(self.0.path()).unwrap().join(name)
        }

        fn git(&self, arguments: &[&str]) -> String {
            let output = Command::new("git")
                .args(["-c", "user.name=a", "-c", "user.email=a@b", "-C"])
                .arg(self.0.path())
                .args(arguments)
                .output()
                .unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        }

        fn head(&self) -> String {
            self.git(&["rev-parse", "HEAD"])[..12].to_owned()
        }
    }

    #[test]
    fn a_commit_has_a_plus_once_something_was_modified_since() {
        let repository = Repository::new();
        let inventory = repository.path("hactl.yml");
        let head = repository.head();
        assert_eq!(git_commit(&inventory), Some(head.clone()));
        fs::write(repository.path("untracked"), "").unwrap();
        assert_eq!(git_commit(&inventory), Some(head.clone()));
        for name in ["notes", "hactl.yml"] {
            fs::write(repository.path(name), "cluster: other\n").unwrap();
            assert_eq!(git_commit(&inventory), Some(format!("{head}+")), "{name}");
            repository.git(&["checkout", "-q", "."]);
        }
        // An untracked inventory is not described by the commit.
        let other = repository.path("other.yml");
        fs::write(&other, "cluster: other\n").unwrap();
        assert_eq!(git_commit(&other), Some(format!("{head}+")));
    }

    #[test]
    fn worktrees_and_packed_references_have_their_commit() {
        let repository = Repository::new();
        let head = repository.head();
        repository.git(&["pack-refs", "--all", "--prune"]);
        repository.git(&["worktree", "add", "-q", "-b", "side", "tree"]);
        for folder in ["", "tree"] {
            let inventory = repository.path(folder).join("hactl.yml");
            assert_eq!(git_commit(&inventory), Some(head.clone()), "{folder:?}");
            let folder = inventory.parent().unwrap();
            let read = commit_on_disk(folder).unwrap();
            assert_eq!(read.trim()[..12], head, "without git: {folder}");
        }
    }

    #[test]
    fn there_is_no_commit_outside_a_repository_and_before_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let inventory = Utf8Path::from_path(folder.path())
            .unwrap()
            .join("hactl.yml");
        fs::write(&inventory, "").unwrap();
        assert_eq!(git_commit(&inventory), None);
        let init = Command::new("git")
            .args(["init", "-q"])
            .arg(folder.path())
            .status();
        assert!(init.unwrap().success());
        assert_eq!(git_commit(&inventory), None);
    }
}
