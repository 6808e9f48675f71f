//! `pvesh`, for every method of the API by its path (api.md 5.4).

use crate::cli::{Command, OfPath, Program};
use api::Verb;
use config::schema::Property;

const API_PATH: Property =
    Property::string("api_path").describe("The path of the API; '/' shows where to begin.");

const NOPROXY: Property =
    Property::boolean("noproxy").optional().describe("Is taken and means nothing: there is this node alone.");

static CALL: &[&[Property]] = &[
    &[API_PATH, NOPROXY],
    &[
        Property::boolean("human-readable")
            .default("1")
            .describe("Shows bytes and times in the way that people read them, in tables."),
        Property::boolean("noborder").default("0").describe("Draws no lines around the cells of tables."),
        Property::boolean("noheader").default("0").describe("Leaves out the heads of the columns of tables."),
        Property::boolean("quiet").optional().describe("Prints nothing of the answer."),
    ],
];

static LIST: &[&[Property]] = &[&[API_PATH, NOPROXY]];

static USAGE: &[&[Property]] = &[&[
    API_PATH,
    Property::string("command")
        .optional()
        .one_of(&["get", "set", "create", "delete"])
        .describe("Only this command."),
    Property::boolean("returns").optional().describe("Shows what is returned, as a schema."),
    Property::boolean("verbose").optional().describe("Tells about each parameter."),
]];

/// `pvesh`
pub(crate) static PVESH: Program = Program {
    name: "pvesh",
    about: "The API: every method by its path, as HTTP clients know it.",
    example: "get",
    commands: &[
        Command::path("create", "Calls the method POST of a path.", CALL, OfPath::Call(Verb::Post))
            .example("pvesh create /nodes/localhost/qemu/100/status/start"),
        Command::path("delete", "Calls the method DELETE of a path.", CALL, OfPath::Call(Verb::Delete))
            .example("pvesh delete /nodes/localhost/qemu/100"),
        Command::path("get", "Calls the method GET of a path.", CALL, OfPath::Call(Verb::Get))
            .example("pvesh get /cluster/resources --output-format json"),
        Command::path(
            "ls",
            "Lists what stands below a path, with what can be done there.",
            LIST,
            OfPath::List,
        )
        .example("pvesh ls /nodes"),
        Command::path("set", "Calls the method PUT of a path.", CALL, OfPath::Call(Verb::Put))
            .example("pvesh set /nodes/localhost/qemu/100/config --onboot 1"),
        Command::path("usage", "Shows the methods of a path and their parameters.", USAGE, OfPath::Usage)
            .example("pvesh usage /nodes/localhost/qemu/100/config --verbose 1"),
    ],
    undone: &[],
    aliases: &[],
};
