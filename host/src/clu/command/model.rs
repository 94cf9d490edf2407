//! A command as data, with the fields that CLU gives it (those of click's `to_info_dict`).

use std::any::TypeId;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command};
use serde_json::{Map, Value, json};

use super::help;

/// The model of a command and of the commands below it.
pub(super) fn of(command: &Command) -> Value {
    let positionals = command.get_positionals().map(argument);
    let options = command
        .get_arguments()
        .filter(|argument| !argument.is_positional())
        .map(option);
    let mut model = json!({
        "name": command.get_name(),
        "params": positionals.chain(options).chain([help_option()]).collect::<Vec<_>>(),
        "help": command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string),
        "epilog": command.get_after_help().map(ToString::to_string),
        "short_help": null,
        "hidden": command.is_hide_set(),
        "deprecated": false,
    });
    if command.has_subcommands()
        && let Value::Object(model) = &mut model
    {
        let mut commands: Vec<&Command> = command.get_subcommands().collect();
        commands.sort_by_key(|command| command.get_name());
        let commands: Map<String, Value> = commands
            .into_iter()
            .map(|command| (command.get_name().to_owned(), of(command)))
            .collect();
        model.insert("commands".to_owned(), commands.into());
        model.insert("chain".to_owned(), false.into());
    }
    model
}

fn argument(argument: &Arg) -> Value {
    let metavar = help::metavar(argument);
    json!({
        "name": metavar.to_lowercase().replace('-', "_"),
        "param_type_name": "argument",
        "opts": [metavar],
        "secondary_opts": [],
        "type": value_type(argument),
        "required": argument.is_required_set(),
        "nargs": if help::takes_many(argument) { -1 } else { 1 },
        "multiple": false,
        "default": default(argument),
        "envvar": null,
    })
}

fn option(option: &Arg) -> Value {
    let is_flag = help::is_flag(option);
    json!({
        "name": option.get_id().as_str().replace('-', "_"),
        "param_type_name": "option",
        "opts": help::spellings(option),
        "secondary_opts": [],
        "type": value_type(option),
        "required": option.is_required_set(),
        "nargs": 1,
        "multiple": matches!(option.get_action(), ArgAction::Append),
        "default": if is_flag { false.into() } else { default(option) },
        "envvar": null,
        "help": option.get_help().map(ToString::to_string),
        "prompt": null,
        "is_flag": is_flag,
        "flag_value": is_flag,
        "count": matches!(option.get_action(), ArgAction::Count),
        "hidden": option.is_hide_set(),
    })
}

/// Every command has it.
fn help_option() -> Value {
    json!({
        "name": "help",
        "param_type_name": "option",
        "opts": ["--help"],
        "secondary_opts": [],
        "type": {"param_type": "Bool", "name": "boolean"},
        "required": false,
        "nargs": 1,
        "multiple": false,
        "default": false,
        "envvar": null,
        "help": "Show this message and exit",
        "prompt": null,
        "is_flag": true,
        "flag_value": true,
        "count": false,
        "hidden": false,
    })
}

fn default(argument: &Arg) -> Value {
    let first = argument.get_default_values().first();
    first.map_or(Value::Null, |value| value.to_string_lossy().into())
}

fn value_type(argument: &Arg) -> Value {
    let choices = argument.get_possible_values();
    if help::is_flag(argument) {
        return json!({"param_type": "Bool", "name": "boolean"});
    }
    if !choices.is_empty() {
        let choices: Vec<&str> = choices.iter().map(PossibleValue::get_name).collect();
        return json!({"param_type": "Choice", "name": "choice", "choices": choices});
    }
    let holds = |types: &[TypeId]| {
        types
            .iter()
            .any(|id| argument.get_value_parser().type_id() == *id)
    };
    let integers = [
        TypeId::of::<u8>(),
        TypeId::of::<u16>(),
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<i8>(),
        TypeId::of::<i16>(),
        TypeId::of::<i32>(),
        TypeId::of::<i64>(),
    ];
    if holds(&integers) {
        json!({"param_type": "Int", "name": "integer"})
    } else if holds(&[TypeId::of::<f32>(), TypeId::of::<f64>()]) {
        json!({"param_type": "Float", "name": "float"})
    } else {
        json!({"param_type": "String", "name": "text"})
    }
}
