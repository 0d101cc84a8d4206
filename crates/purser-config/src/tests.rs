use super::*;
use ledger_core::Period;
use std::io;
use std::path::Path;

fn load_with(file: Option<&str>, environment: &[(&str, &str)]) -> Result<Config, Problems> {
    let read_file = |path: &Path| match (path.to_str(), file) {
        (Some("etc/purser.toml"), Some(text)) => Ok(text.to_owned()),
        (Some("etc/prices.toml"), _) => Ok("[[models]]\nmodels = \"m\"\nper_unit = { messages = \"1\" }\n".to_owned()),
        (Some("etc/floats.toml"), _) => Ok("a = 1\n[t]\nrate = 0.5\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    load(&Inputs {
        file: file.map(|_| PathBuf::from("etc/purser.toml")),
        environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        flags: Vec::new(),
        read_file: &read_file,
    })
}

fn problems(file: &str) -> Vec<String> {
    load_with(Some(file), &[]).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn the_shipped_configuration_is_valid_and_is_what_the_contract_says() {
    let config = load_with(None, &[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:7070");
    assert_eq!(config.storage.data, PathBuf::from("./data"));
    let plans: Vec<String> = config
        .plans
        .iter()
        .map(|p| format!("{} {} {}", p.definition.name, p.definition.package, p.rate_card))
        .collect();
    assert_eq!(plans, ["free 100 standard", "pro 10000 standard", "starter 1000 standard"]);
    let pro = &config.plans[1].definition;
    assert_eq!(pro.rollover.map(|r| (r.cap.to_string(), r.cycles)), Some(("2000".to_owned(), 1)));
    assert_eq!(pro.overage_limit, Amount::ZERO);
    let packs: Vec<String> =
        config.packs.iter().map(|p| format!("{} {} {} {}", p.name, p.credits, p.price, p.currency)).collect();
    assert_eq!(packs, ["large 20000 80.00 USD", "medium 5000 22.50 USD", "small 1000 5.00 USD"]);
    assert_eq!(config.rate_cards[0].rules.len(), 6);
    assert_eq!(config.idempotency.keep_ms, 35 * 86_400_000);
    let rates = config.plugin_configs.iter().find(|c| c.name == "list-prices").unwrap();
    assert!(rates.json.contains("\"gpt-4o-mini\""), "the compiled-in rates are found");
}

#[test]
fn layers_cover_one_another() {
    let file = r#"
        [server]
        body_kib_max = 32
        [plans.pro]
        package = "5"
        cycle = "10 days"
        rate_card = "mine"
        [plugin_configs.mine]
        plugin = "per-model-rates"
        file = "prices.toml"
        [[rate_cards.mine]]
        activity = "*"
        model = "*"
        prices = "mine"
    "#;
    let config =
        load_with(Some(file), &[("PURSER_LISTEN", "0.0.0.0:1"), ("PURSER_SERVER_BODY_KIB_MAX", "16")]).unwrap();
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:1");
    assert_eq!(config.server.body_bytes_max, 16 << 10, "the environment beats the file");
    assert_eq!(config.server.batch_items_max, 10_000, "what the file leaves out stays");
    let pro = config.plans.iter().find(|p| &*p.definition.name == "pro").unwrap();
    assert_eq!(pro.definition.cycle, Period::Days(10));
    assert_eq!(pro.definition.rollover, None, "a plan is replaced whole");
    assert_eq!(config.plans.len(), 3);
    let mine = config.plugin_configs.iter().find(|c| c.name == "mine").unwrap();
    assert_eq!(mine.json, r#"{"models":[{"models":"m","per_unit":{"messages":"1"}}]}"#);
}

#[test]
fn every_problem_is_reported_with_its_place() {
    let file = r#"[server]
listn = "127.0.0.1:1"
body_kib_max = "many"
[idempotency]
keep_days = 34
[plans.pro]
package = 12.5
cycle = "0 days"
overage = "unblock"
rollover_cap = "1"
rate_card = "standart"
[[rate_cards.standard]]
activity = "chat"
model = "*"
prices = "list-price"
[plugin_configs.a]
plugin = "p"
file = "missing.toml"
[plugin_configs.b]
plugin = "p"
file = "floats.toml"
[plugin_configs.c]
plugin = "p"
[packs.none]
credits = "0"
price = "1.00"
currency = "usd"
[servers]
"#;
    let found = problems(file);
    let expected = [
        "etc/purser.toml:3: server.body_kib_max: must be a whole number, not a text",
        "etc/purser.toml:2: server.listn: there is no such setting; did you mean listen?",
        "etc/purser.toml:4: idempotency.keep_days: is 34, and must cover max_age_days (34) + max_future_minutes (5) + 1 hour: an event that is still taken could be charged twice; 35 would do",
        "etc/purser.toml:18: plugin_configs.a.file: etc/missing.toml cannot be read: entity not found",
        "etc/floats.toml:3: t.rate: is a float, which is not exact; write \"0.5\" in quotes",
        "etc/purser.toml:22: plugin_configs.c.file: give either a file or a config, and not both",
        "etc/purser.toml:15: rate_cards.standard[0].prices: no plugin configuration is named \"list-price\"; did you mean list-prices?",
        "etc/purser.toml:6: plans.pro.rollover_cap: rollover needs both rollover_cap and rollover_cycles",
        "etc/purser.toml:8: plans.pro.cycle: must be \"monthly\", \"weekly\", \"yearly\" or \"N days\", N from 1 to 3660",
        "etc/purser.toml:7: plans.pro.package: is a float, which is not exact; write \"12.5\" in quotes",
        "etc/purser.toml:9: plans.pro.overage: must be \"block\" or credits: an amount is a decimal string such as \"12.5\", without exponent, plus sign or leading zeros",
        "etc/purser.toml:11: plans.pro.rate_card: no rate card is named \"standart\"; did you mean standard?",
        "etc/purser.toml:25: packs.none.credits: must be above zero",
        "etc/purser.toml:27: packs.none.currency: must be a currency code, such as \"USD\"",
        "etc/purser.toml:28: servers: there is no such section; did you mean server?",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
}

#[test]
fn syntax_errors_name_their_line() {
    let found = problems("[server]\nlisten = \n[plans\n");
    assert!(found.iter().any(|p| p.starts_with("etc/purser.toml:2: ")), "{found:?}");
}

#[test]
fn an_unknown_variable_is_a_problem() {
    let found =
        load_with(None, &[("PURSER_SERVER_LISTN", "x"), ("PURSER_ADMIN_KEY", "secret")]).unwrap_err().to_string();
    assert_eq!(found, "PURSER_SERVER_LISTN: no setting has this variable; did you mean PURSER_SERVER_LISTEN?");
}
