//! The program stays on the host and answers one call after another.

use hactl::remote::request;

use crate::in_every_shell;
use crate::world::World;

in_every_shell!(
    calls_are_answered_one_after_another,
    what_is_no_call_is_not_taken_for_one,
    a_killed_call_ends_the_program,
    the_program_waits_for_a_call_however_long_a_shell_would,
);

/// The verbs and exit codes of all answers in `output`.
fn answered(output: &str) -> Vec<&str> {
    let lines = output.lines();
    lines
        .filter_map(|line| line.strip_prefix("answered\t"))
        .collect()
}

async fn calls_are_answered_one_after_another(world: &World) {
    // The second one fails, and the third one does not read its input.
    let calls = [
        request(&["observe"], b"end\n"),
        request(&["unlock", ""], b""),
        request(&["history"], &vec![b'x'; 300_000]),
        request(&["observe"], b"end\n"),
    ];
    let output = world.raw(&["serve"], &calls.concat());
    let expected = ["observe\t0", "unlock\t1", "history\t0", "observe\t0"];
    assert_eq!(answered(&output), expected, "{output}");
}

async fn what_is_no_call_is_not_taken_for_one(world: &World) {
    for header in ["1", "x 0", "1 x", "-1 0", ""] {
        let calls = [
            format!("{header}\n").into_bytes(),
            request(&["history"], b""),
        ];
        let output = world.raw(&["serve"], &calls.concat());
        assert_eq!(output, "", "{header:?}");
    }
}

async fn a_killed_call_ends_the_program(world: &World) {
    let script = hactl::agent::agent_script();
    let killed = "main() { printf 'half a line'; kill -9 \"$(sh -c 'echo $PPID')\"; }\n";
    let (program, entry) = script.rsplit_once("if [ \"${1-}\" = serve ]").unwrap();
    let script = format!("{program}{killed}if [ \"${{1-}}\" = serve ]{entry}");
    let calls = [request(&["history"], b""), request(&["history"], b"")];
    let output = world.raw_of(script, &["serve"], &calls.concat());
    assert_eq!(output, "half a line\nanswered\thistory\t137\n");
}

async fn the_program_waits_for_a_call_however_long_a_shell_would(world: &World) {
    let script = format!("TMOUT=1\n{}", hactl::agent::agent_script());
    let script = script.replace(
        "    while read -r count size; do",
        "    echo \"TMOUT=${TMOUT-none}\"\n    while read -r count size; do",
    );
    let output = world.raw_of(script, &["serve"], b"");
    assert_eq!(output, "TMOUT=none\n");
}
