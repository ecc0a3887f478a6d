//! The tools of the end-to-end tests, in a virtual environment under the target folder, and what is built with them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

use voicehook_test_support::skipped;

use crate::{aws_emulator::AwsEmulator, process::run};

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Installed tools and the function that was built with them.
#[derive(Clone)]
pub(crate) struct Tools {
    environment: PathBuf,
    built: PathBuf,
}

impl Tools {
    /// Installs and builds, once for all tests of the process. Where there is no Python, the test is skipped, except in
    /// continuous integration.
    pub(crate) fn install() -> Option<Self> {
        static BUILT: OnceLock<Option<Tools>> = OnceLock::new();
        BUILT.get_or_init(|| Self::without_the_function().map(Self::build)).clone()
    }

    /// Installs, for tests that do not need the built function.
    pub(crate) fn without_the_function() -> Option<Self> {
        static INSTALLED: OnceLock<Option<Tools>> = OnceLock::new();
        INSTALLED.get_or_init(install).clone()
    }

    /// A tool of the virtual environment, which has the others on its path.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.environment.join("bin").join(name));
        command.env("PATH", self.path()).current_dir(PROJECT);
        // The cargo that runs the tests must not leak into the cargo that `sam build` runs.
        let of_cargo = |name: &str| name.starts_with("CARGO_") && name != "CARGO_HOME" && name != "CARGO_TARGET_DIR";
        for (name, _) in std::env::vars().filter(|(name, _)| of_cargo(name)) {
            command.env_remove(name);
        }
        command
    }

    fn path(&self) -> String {
        format!("{}:{}", self.environment.join("bin").display(), std::env::var("PATH").unwrap_or_default())
    }

    /// The function, as `sam build` made it.
    pub(crate) fn bootstrap(&self) -> PathBuf {
        self.built.join("WebhookFunction/bootstrap")
    }

    /// AWS's Runtime Interface Emulator, which SAM carries along.
    pub(crate) fn runtime_interface_emulator(&self) -> PathBuf {
        let find = "import samcli; print(samcli.__path__[0])";
        let package = run(self.command("python").args(["-c", find]));
        Path::new(package.trim()).join(format!("local/rapid/aws-lambda-rie-{}", architecture()))
    }

    fn build(self) -> Self {
        let architecture = format!("Architecture={}", architecture());
        run(self
            .command("sam")
            .args(["build", "--parameter-overrides", &architecture, "--build-dir"])
            .arg(&self.built)
            .env("SAM_CLI_TELEMETRY", "0"));
        self
    }

    /// Deploys the built template to the emulator, with parameters as `NAME=VALUE NAME=VALUE`. Returns the API's id as
    /// `api_id` and the stack's outputs.
    pub(crate) fn deploy(&self, aws: &AwsEmulator, stack: &str, parameters: &str) -> BTreeMap<String, String> {
        self.deploy_template(&self.built_template(), aws, stack, parameters);
        let described = self.describe(aws, stack, parameters);
        let mut outputs: BTreeMap<String, String> = serde_json::from_value(described["outputs"].clone()).unwrap();
        outputs.insert("api_id".to_owned(), described["api_id"].as_str().unwrap().to_owned());
        outputs
    }

    /// The folder with the built template and the built function.
    pub(crate) fn built(&self) -> &Path {
        &self.built
    }

    pub(crate) fn built_template(&self) -> PathBuf {
        self.built.join("template.yaml")
    }

    /// Deploys a template that lies in the folder of the built one, or needs nothing of it.
    pub(crate) fn deploy_template(&self, template: &Path, aws: &AwsEmulator, stack: &str, parameters: &str) {
        run(&mut self.deploy_command(template, aws, stack, parameters));
    }

    /// What `sam deploy` says when it does not deploy the built template.
    pub(crate) fn refused_deployment(&self, aws: &AwsEmulator, stack: &str, parameters: &str) -> String {
        let output = self.deploy_command(&self.built_template(), aws, stack, parameters).output().unwrap();
        assert!(!output.status.success(), "{parameters} was deployed");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn deploy_command(&self, template: &Path, aws: &AwsEmulator, stack: &str, parameters: &str) -> Command {
        let mut deploy = self.command("sam");
        deploy.args(["deploy", "--stack-name", stack, "--no-confirm-changeset", "--no-progressbar", "--template-file"]);
        deploy
            .arg(template)
            .args(["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"])
            .arg("--parameter-overrides")
            .args(parameters.split_whitespace())
            .arg(format!("Architecture={}", architecture()));
        aws.client_environment(&mut deploy).env("SAM_CLI_TELEMETRY", "0");
        deploy
    }

    /// What a deployment of `template.yaml` made, as `stack.py` finds it in the emulator.
    pub(crate) fn describe(&self, aws: &AwsEmulator, stack: &str, parameters: &str) -> Value {
        let mut describe = self.command("python");
        describe.arg("cli/tests/end_to_end/stack.py").args(["--stack", stack, "--endpoint", &aws.endpoint()]);
        describe.arg("--parameters").args(parameters.split_whitespace());
        serde_json::from_str(&run(aws.client_environment(&mut describe))).unwrap()
    }
}

fn install() -> Option<Tools> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let tools = Tools { environment: folder.join("tools"), built: folder.join("sam-build") };
    let installed = tools.environment.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == REQUIREMENTS) {
        return Some(tools);
    }
    let venv = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&tools.environment).output();
    if !cfg!(target_os = "linux") || !venv.is_ok_and(|venv| venv.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "continuous integration needs Linux and Python 3 with venv");
        skipped("the end-to-end tests need Linux and Python 3 with venv");
        return None;
    }
    run(tools
        .command("pip")
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r"])
        .arg("cli/tests/end_to_end/requirements.txt"));
    fs::write(installed, REQUIREMENTS).unwrap();
    Some(tools)
}

/// As Lambda names it.
pub(crate) fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}
