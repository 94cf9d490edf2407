//! Help on a command, laid out as CLU's users know it from click: usage, what it does, arguments,
//! options, commands. The same lines every time, without colours and whatever the terminal.

use clap::{Arg, Command};

/// The help on a command, `usage` being the way to it (`lvmbeat set`).
pub(super) fn lines(usage: &str, command: &Command) -> Vec<String> {
    let arguments: Vec<&Arg> = command.get_positionals().collect();
    let mut lines = vec![format!("Usage: {usage} [OPTIONS]{}", form(command))];
    if let Some(about) = command.get_long_about().or_else(|| command.get_about()) {
        lines.push(String::new());
        lines.extend(about.to_string().lines().map(|line| format!("  {line}")));
    }
    let row = |name: String, help: Option<&clap::builder::StyledStr>| {
        (name, help.map(ToString::to_string).unwrap_or_default())
    };
    table(
        &mut lines,
        "Arguments",
        arguments
            .iter()
            .map(|argument| row(metavar(argument), argument.get_help())),
    );
    let options = command
        .get_arguments()
        .filter(|argument| !argument.is_positional());
    let help = ("--help".to_owned(), "Show this message and exit".to_owned());
    table(
        &mut lines,
        "Options",
        options
            .map(|option| row(spelled(option), option.get_help()))
            .chain([help]),
    );
    let mut commands: Vec<&Command> = command.get_subcommands().collect();
    commands.sort_by_key(|command| command.get_name());
    table(
        &mut lines,
        "Commands",
        commands
            .iter()
            .map(|command| row(command.get_name().to_owned(), command.get_about())),
    );
    lines
}

fn table(lines: &mut Vec<String>, title: &str, rows: impl Iterator<Item = (String, String)>) {
    let rows: Vec<_> = rows.collect();
    let Some(width) = rows.iter().map(|(name, _)| name.chars().count()).max() else {
        return;
    };
    lines.extend([String::new(), format!("{title}:")]);
    lines.extend(rows.iter().map(|(name, help)| {
        let help = help.lines().next().unwrap_or_default();
        format!("  {name:width$}  {help}").trim_end().to_owned()
    }));
}

/// What follows the options.
fn form(command: &Command) -> String {
    let mut form: String = command
        .get_positionals()
        .map(|argument| {
            let name = metavar(argument);
            let dots = if takes_many(argument) { "..." } else { "" };
            if argument.is_required_set() {
                [" ", &name, dots].concat()
            } else {
                [" [", &name, "]", dots].concat()
            }
        })
        .collect();
    if command.has_subcommands() {
        form.push_str(" COMMAND [ARGS]...");
    }
    form
}

/// How an argument is called in help.
pub(super) fn metavar(argument: &Arg) -> String {
    match argument.get_value_names().and_then(<[_]>::first) {
        Some(name) => name.to_string(),
        None => argument.get_id().as_str().to_uppercase(),
    }
}

/// The ways to write an option, as they are typed.
pub(super) fn spellings(option: &Arg) -> Vec<String> {
    let short = option.get_short().map(|short| format!("-{short}"));
    let long = option.get_long().map(|long| format!("--{long}"));
    short.into_iter().chain(long).collect()
}

fn spelled(option: &Arg) -> String {
    let spelled = spellings(option).join(", ");
    if is_flag(option) {
        spelled
    } else {
        format!("{spelled} {}", metavar(option))
    }
}

/// Whether an option takes no value.
pub(super) fn is_flag(option: &Arg) -> bool {
    !option.is_positional() && !option.get_action().takes_values()
}

/// Whether an argument takes any number of values.
pub(super) fn takes_many(argument: &Arg) -> bool {
    argument
        .get_num_args()
        .is_some_and(|range| range.max_values() > 1)
}
