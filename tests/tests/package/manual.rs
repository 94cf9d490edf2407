//! Man pages and completions are what the programs' command lines are.

use std::fs;

use clap::Command;
use lvmbeat_tests::process::{Launch, said};

use super::manual;

/// The command and all below it that are not hidden, as their pages are named.
fn commands(program: Command) -> Vec<Command> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let parts = program.get_subcommands().filter(|part| !part.is_hide_set());
    let mut commands: Vec<_> = parts.cloned().collect();
    commands.push(program);
    commands
}

/// As roff has it.
fn escaped(text: &str) -> String {
    text.replace('-', "\\-")
}

#[tokio::test]
async fn each_command_has_a_page_with_all_its_options_and_there_is_no_other_page() {
    let folder = manual().await;
    let pages = folder.path().join("man");
    let mut names = Vec::new();
    for command in [lvmbeat::cli::command(), sim::cli::command()]
        .into_iter()
        .flat_map(commands)
    {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let page = fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        for option in command.get_opts().filter(|option| !option.is_hide_set()) {
            let long = format!("\\-\\-{}", escaped(option.get_long().unwrap()));
            assert!(page.contains(&long), "{name}: no {long} in {page}");
        }
        names.push(format!("{name}.1"));
    }
    assert!(names.contains(&"lvmbeat-beat.1".to_owned()), "{names:?}");
    let mut written: Vec<_> = fs::read_dir(pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    written.sort();
    assert_eq!(written, names);
}

#[tokio::test]
async fn the_completions_know_each_command() {
    let folder = manual().await;
    for (program, command) in [
        ("lvmbeat", lvmbeat::cli::command()),
        ("sim", sim::cli::command()),
    ] {
        for file in [
            format!("bash/{program}.bash"),
            format!("fish/{program}.fish"),
            format!("zsh/_{program}"),
        ] {
            let script = fs::read_to_string(folder.path().join(&file)).unwrap();
            for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
                assert!(script.contains(part.get_name()), "{file}: {part}");
            }
        }
    }
    // What a user gets who has typed this and presses Tab.
    for (typed, completed) in [
        ("lvmbeat dri", "drill\n"),
        ("lvmbeat drill --st", "--stop\n"),
    ] {
        let script = r#"
            . "$1/bash/lvmbeat.bash"
            read -ra COMP_WORDS <<<"$2"
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _lvmbeat lvmbeat "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
            printf '%s\n' "${COMPREPLY[@]}"
        "#;
        let bash = Launch::other("/bin/bash".into())
            .args(["-euc", script, "bash"])
            .args([folder.path()])
            .args([typed]);
        assert_eq!(said(bash).await, completed, "{typed}");
    }
}
