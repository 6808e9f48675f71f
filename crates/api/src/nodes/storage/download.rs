//! Downloads: CD images, templates and images to import that the host fetches itself (api.md 3.3).

use super::checksum::Check;
use super::content::storage;
use super::upload::{CHECKSUM, file_name};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_STORAGE;
use crate::{ApiError, Context, Params, Permission, Refusal, task};
use ::config::schema::Property;
use ::storage::Copying;
use model::ContentType;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

static PARAMETERS: &[Property] = &[
    Property::string("compression").optional().describe("What the file is to be unpacked with."),
    Property::string("content").one_of(&["iso", "vztmpl", "import"]).describe("What it is."),
    Property::string("filename").max_length(255).describe(
        "The name of the file. What is before its last slash is dropped, special characters become `_`.",
    ),
    Property::string("url")
        .pattern("https?://.*", |url| {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            rest.is_some_and(|rest| !rest.is_empty()) && !url.contains(|c: char| c.is_control() || c == ' ')
        })
        .describe("Where it is fetched from."),
    Property::boolean("verify-certificates")
        .default("1")
        .describe("Refuses a server whose certificate is not good."),
];

/// `POST …/download-url`
pub static DOWNLOAD: Method = Method {
    path: "/nodes/{node}/storage/{storage}/download-url",
    verb: Verb::Post,
    description: "Fetches a file by HTTP and puts it on a storage.",
    parameters: &[AT_STORAGE, CHECKSUM, PARAMETERS],
    permission: Permission::AllOf(&[
        Permission::storage(&["Datastore.AllocateTemplate"]),
        Permission::AnyOf(&[
            Permission::AllOf(&[
                Permission::Privileges { path: "/", any_of: &["Sys.Audit"] },
                Permission::Privileges { path: "/", any_of: &["Sys.Modify"] },
            ]),
            Permission::Privileges { path: "/nodes/{node}", any_of: &["Sys.AccessNetwork"] },
        ]),
    ]),
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: download,
};

fn download(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    crate::nodes::unsupported(params, &["compression"])?;
    let text = |name| params.text(name).unwrap_or_default();
    let content: ContentType =
        text("content").parse().map_err(|_| ApiError::parameter("content", "invalid content type"))?;
    let name = file_name(text("filename"), content)?;
    let storages = context.storages()?;
    let placement = storages.placement(&storage(params)?, content, &name)?;
    if placement.path.symlink_metadata().is_ok() {
        let text = format!("refusing to override existing file '{}'", placement.path.display());
        return Err(Refusal::Storage(text).into());
    }
    let proxy = context.store.datacenter()?.get("http_proxy").map(str::to_owned);
    task::run(context, "download", &name, |task| {
        let url = text("url");
        task.say(&format!("downloading {url} to {}", placement.path.display()));
        let mut fetched = Fetched::begin(url, params.flag("verify-certificates", true), proxy.as_deref())?;
        let checksum = params.text("checksum-algorithm").zip(params.text("checksum"));
        let mut source = fetched.source()?;
        let mut check = Download { fetched, check: Check::new(None, checksum) };
        storages.place(&placement, &mut source, 0o644, false, &mut check)?;
        if checksum.is_some() {
            task.say("calculating checksum...OK, checksum verified");
        }
        task.say(&format!("download of '{url}' to '{}' finished", placement.path.display()));
        Ok(())
    })
}

/// curl(1), which writes what it fetches into a pipe. It ends with this.
struct Fetched(Child);

impl Fetched {
    fn begin(url: &str, verify: bool, proxy: Option<&str>) -> Result<Self, ApiError> {
        let mut curl = Command::new("curl");
        // Not what somebody's ~/.curlrc says.
        curl.args(["-q", "--fail", "--silent", "--show-error", "--location", "--max-redirs", "5"]);
        curl.args([
            "--proto",
            "=http,https",
            "--connect-timeout",
            "30",
            "--speed-limit",
            "1",
            "--speed-time",
            "60",
        ]);
        if !verify {
            curl.arg("--insecure");
        }
        if let Some(proxy) = proxy {
            curl.args(["--proxy", proxy]);
        }
        curl.args(["--url", url]).env("LC_ALL", "C");
        curl.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let missing = |error| {
            Refusal::Missing(format!("unable to run 'curl', which comes with the package 'curl': {error}"))
        };
        Ok(Self(curl.spawn().map_err(missing)?))
    }

    fn source(&mut self) -> Result<File, ApiError> {
        let out = self.0.stdout.take().ok_or_else(|| Refusal::Missing("curl has no output".to_owned()))?;
        Ok(File::from(OwnedFd::from(out)))
    }

    /// Waits for its end.
    fn end(&mut self) -> Result<(), String> {
        let mut said = String::new();
        if let Some(mut errors) = self.0.stderr.take() {
            let _ = errors.read_to_string(&mut said);
        }
        match self.0.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) if !said.trim().is_empty() => Err(format!("download failed: {}", said.trim())),
            Ok(status) => Err(format!("download failed: curl: {status}")),
            Err(error) => Err(format!("download failed: {error}")),
        }
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is put in its place only when all of it came.
struct Download {
    fetched: Fetched,
    check: Check,
}

impl Copying for Download {
    fn part(&mut self, bytes: &[u8]) {
        self.check.part(bytes);
    }

    fn end(&mut self) -> Result<(), String> {
        self.fetched.end()?;
        self.check.end()
    }
}
