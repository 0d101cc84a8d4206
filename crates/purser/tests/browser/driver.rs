//! A browser of a test's own: Chromium, driven by chromedriver over the WebDriver protocol.
//!
//! Waiting is always for something, with an end: a page is asked until it says so.

use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything on a page may take, on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How wide the pages are looked at, and whether by night.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) is_dark: bool,
}

pub(crate) const LAPTOP: Look = Look { name: "laptop", width: 1280, is_dark: false };
pub(crate) const PHONE: Look = Look { name: "phone", width: 390, is_dark: false };
pub(crate) const WIDE: Look = Look { name: "wide-dark", width: 1920, is_dark: true };
pub(crate) const LOOKS: [Look; 3] = [LAPTOP, PHONE, WIDE];

/// What a browser is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scripts {
    Run,
    /// As where somebody has switched them off.
    Blocked,
}

/// A browser with one window. Its processes end with it.
pub(crate) struct Browser {
    driver: Child,
    pub(crate) page: Client,
    /// Where downloads go.
    pub(crate) downloads: tempfile::TempDir,
}

impl Browser {
    pub(crate) async fn open() -> Self {
        Self::with(Scripts::Run, LAPTOP).await
    }

    pub(crate) async fn with(scripts: Scripts, look: Look) -> Self {
        let downloads = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromedriver");
        // A group of its own, so that the browser that it starts ends with it whatever happens.
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut driver = command.spawn().expect("chromedriver is missing; `cargo xtask test --browser` installs it");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        // It goes on writing, and must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let url = format!("http://127.0.0.1:{}", port.expect("chromedriver ended before it listened"));
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(downloads.path(), scripts, look))
            .connect(&url)
            .await
            .unwrap();
        page.set_window_size(look.width, 1000).await.unwrap();
        Self { driver, page, downloads }
    }

    pub(crate) async fn go(&self, url: &str) {
        self.page.goto(url).await.unwrap();
    }

    /// The element that a selector of CSS finds, once there is one.
    pub(crate) async fn find(&self, selector: &str) -> Element {
        let found = self.page.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// How many elements a selector finds now.
    pub(crate) async fn count(&self, selector: &str) -> usize {
        self.page.find_all(Locator::Css(selector)).await.unwrap().len()
    }

    /// Clicks what a selector finds, as soon as it is there.
    pub(crate) async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Clicks the link or button that says this.
    pub(crate) async fn click_on(&self, text: &str) {
        let path = format!("//*[self::a or self::button][contains(normalize-space(.), '{text}')]");
        let found = self.page.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        found.unwrap_or_else(|error| panic!("{text}: {error}")).click().await.unwrap();
    }

    /// Types into the field of this name, in the place of what is there.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// The text of what a selector finds, as it is shown.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    /// What an expression of JavaScript comes to on the page.
    pub(crate) async fn eval(&self, expression: &str) -> Value {
        self.page.execute(&format!("return {expression}"), Vec::new()).await.unwrap()
    }

    /// Waits until an expression of JavaScript is true on the page.
    pub(crate) async fn until(&self, expression: &str) {
        let path = self.page.current_url().await.unwrap();
        until(
            || async { self.eval(&format!("Boolean({expression})")).await == json!(true) },
            || format!("{path}: never became true: {expression}"),
        )
        .await;
    }

    /// Waits until the address has this in it; no script is needed for it.
    pub(crate) async fn until_at(&self, part: &str) {
        let is_there = || async { self.page.current_url().await.unwrap().as_str().contains(part) };
        until(is_there, || format!("the address never had {part}")).await;
    }

    /// Waits until the page says this somewhere.
    pub(crate) async fn until_said(&self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text))).await;
    }

    /// A picture of the whole page, among those of the run.
    pub(crate) async fn picture(&self, name: &str, look: Look) {
        self.page.set_window_size(look.width, 1000).await.unwrap();
        let height = self.eval("document.documentElement.scrollHeight").await.as_u64().unwrap();
        self.page.set_window_size(look.width, u32::try_from(height).unwrap().clamp(600, 6000)).await.unwrap();
        self.keep_picture(name, look).await;
        self.page.set_window_size(look.width, 1000).await.unwrap();
    }

    /// A picture of the upper part of a page.
    pub(crate) async fn picture_of_top(&self, name: &str, look: Look, height: u32) {
        self.page.set_window_size(look.width, height).await.unwrap();
        self.keep_picture(name, look).await;
    }

    async fn keep_picture(&self, name: &str, look: Look) {
        let png = self.page.screenshot().await.unwrap();
        let folder = screenshots();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}-{}.png", look.name)), png).unwrap();
    }

    /// Holds the page to what axe-core finds, and to its width.
    pub(crate) async fn is_accessible(&self, name: &str) {
        let axe = target().join("tools/node/node_modules/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(&axe).expect("axe-core is missing; `cargo xtask tools` fetches it");
        self.page.execute(&axe, Vec::new()).await.unwrap();
        let run = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations.map(
                (one) => [one.id, one.help, one.nodes.map((node) => node.html)])), (error) => done([String(error)]));";
        let found = self.page.execute_async(run, Vec::new()).await.unwrap();
        assert_eq!(found, json!([]), "{name}");
        let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(self.eval(overflow).await, json!(0), "{name} is wider than its window");
    }

    /// The file that was downloaded, whose name begins so, once it is whole.
    pub(crate) async fn downloaded(&self, name: &str) -> String {
        let find = || {
            let files = std::fs::read_dir(self.downloads.path()).unwrap().flatten();
            let files: Vec<_> = files.map(|file| (file.file_name().to_string_lossy().into_owned(), file)).collect();
            // What is under way has another name, and an empty file keeps its own for it.
            let is_under_way = files.iter().any(|(name, _)| name.ends_with(".crdownload"));
            let is_it = |file: &str| file.starts_with(name) && file.ends_with(".csv");
            let mut whole = files.into_iter().filter(|(name, file)| {
                is_it(name) && !is_under_way && file.metadata().is_ok_and(|about| about.len() > 0)
            });
            whole.next().map(|(_, file)| file.path())
        };
        until(|| async { find().is_some() }, || format!("{name} was never downloaded")).await;
        std::fs::read_to_string(find().unwrap()).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its whole group: the browser is a child of it.
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.driver.wait();
    }
}

/// Waits until something is so.
pub(crate) async fn until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F, or: impl FnOnce() -> String) {
    let give_up_at = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < give_up_at, "{}", or());
        tokio::task::yield_now().await;
    }
}

fn capabilities(downloads: &Path, scripts: Scripts, look: Look) -> Capabilities {
    let mut arguments = vec![
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--lang=en-US",
        "--hide-scrollbars",
    ];
    if look.is_dark {
        arguments.push("--force-dark-mode");
    }
    let mut preferences = json!({ "download.default_directory": downloads, "download.prompt_for_download": false });
    if scripts == Scripts::Blocked {
        preferences["profile.managed_default_content_settings.javascript"] = json!(2);
    }
    let options = json!({ "args": arguments, "prefs": preferences });
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    capabilities
}

/// The folder in which everything is built.
pub(crate) fn target() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_purser"));
    program.ancestors().nth(2).unwrap().to_owned()
}

/// Where the pictures of a run are.
fn screenshots() -> PathBuf {
    target().join("screenshots")
}
