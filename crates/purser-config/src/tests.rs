use super::*;
use ledger_core::Period;
use std::io;
use std::path::Path;

mod samples;

/// Loads with a file in `etc/`, beside which are the sample files and the shipped rates.
fn load_with(file: Option<&str>, environment: &[(&str, &str)]) -> Result<Config, Problems> {
    load_all(file, environment, &[])
}

fn load_file(file: &str) -> Result<Config, Problems> {
    load_with(Some(file), &[])
}

fn load_all(
    file: Option<&str>,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &str, &'static str)],
) -> Result<Config, Problems> {
    let not_found = || io::Error::from(io::ErrorKind::NotFound);
    let read_file = |path: &Path| match path.strip_prefix("etc").unwrap().to_str().unwrap() {
        "purser.toml" => file.map(str::to_owned).ok_or_else(not_found),
        "rates.toml" => Ok(DEFAULT_RATES.to_owned()),
        "prices.toml" => Ok(include_str!("../samples/files/prices.toml").to_owned()),
        "floats.toml" => Ok(include_str!("../samples/files/floats.toml").to_owned()),
        "broken.toml" => Ok(include_str!("../samples/files/broken.toml").to_owned()),
        _ => Err(not_found()),
    };
    load(&Inputs {
        file: file.map(|_| PathBuf::from("etc/purser.toml")),
        environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        flags: flags.iter().map(|(setting, value, flag)| (*setting, (*value).to_owned(), *flag)).collect(),
        read_file: &read_file,
    })
}

#[test]
fn the_shipped_configuration_is_what_the_contract_says() {
    let config = load_with(None, &[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:7070");
    assert_eq!(config.server.batch_items_max, 10_000);
    assert_eq!(config.storage.data, PathBuf::from("./data"));
    let plan = |p: &PlanConfig| {
        let plan = &p.definition;
        assert_eq!((plan.cycle, plan.overage_limit, plan.grace), (Period::Months(1), Amount::ZERO, Amount::ZERO));
        let rollover = plan.rollover.map(|r| format!(" rolls over {} for {}", r.cap, r.cycles)).unwrap_or_default();
        format!("{} {} {}{rollover}", plan.name, plan.package, p.rate_card)
    };
    let plans: Vec<String> = config.plans.iter().map(plan).collect();
    assert_eq!(plans, ["free 100 standard", "pro 10000 standard rolls over 2000 for 1", "starter 1000 standard"]);
    let pack = |p: &Pack| format!("{} {} {} {}", p.name, p.credits, p.price, p.currency);
    let packs: Vec<String> = config.packs.iter().map(pack).collect();
    assert_eq!(packs, ["large 20000 80.00 USD", "medium 5000 22.50 USD", "small 1000 5.00 USD"]);
    let rule = |r: &Rule| format!("{} {} {}", r.activity, r.model, r.prices);
    let rules: Vec<String> = config.rate_cards[0].rules.iter().map(rule).collect();
    assert_eq!(
        rules,
        [
            "chat * list-prices",
            "auto_trigger * list-prices",
            "assistant * list-prices",
            "voice_inbound * voice",
            "voice_outbound * voice",
            "voice_web * voice",
        ]
    );
    const DAY_MS: i64 = 86_400_000;
    let ages = Idempotency { keep_ms: 35 * DAY_MS, max_age_ms: 34 * DAY_MS, max_future_ms: 300_000 };
    assert_eq!(config.idempotency, ages);
    let [rates, voice] = &config.plugin_configs[..] else { panic!("{:?}", config.plugin_configs) };
    assert_eq!((&*rates.name, &*rates.plugin), ("list-prices", "per-model-rates"));
    assert!(rates.json.contains("\"gpt-4o-mini\""), "the compiled-in rates are found");
    assert_eq!((&*voice.name, &*voice.plugin), ("voice", "call-minutes"));
    assert_eq!(
        voice.json, r#"{"connection_fee":"0","free_seconds":0,"increment_seconds":60,"per_minute":"12"}"#,
        "12 credits for each started minute"
    );
}

/// Somebody who copies the two shipped files and changes nothing runs what is compiled in.
#[test]
fn the_shipped_file_given_as_a_file_is_the_default() {
    let placeless = |mut config: Config| {
        let nowhere = Place { source: "".into(), line: None };
        config.plugin_configs.iter_mut().for_each(|plugin_config| plugin_config.place = nowhere.clone());
        config
    };
    assert_eq!(placeless(load_file(DEFAULT_CONFIG).unwrap()), placeless(load_with(None, &[]).unwrap()));
}

/// Whoever loads the plugins can say where what they refuse is written.
#[test]
fn plugin_configurations_know_their_place() {
    let config = load_file("[plugin_configs.own]\nplugin = \"p\"\nfile = \"prices.toml\"\n").unwrap();
    let shown = |c: &PluginConfig| format!("{}:{}: {}", c.place.source, c.place.line.unwrap(), c.setting);
    let found: Vec<String> = config.plugin_configs.iter().map(shown).collect();
    assert_eq!(found[1], "etc/purser.toml:1: plugin_configs.own.file");
    assert!(found[2].starts_with("config/purser.toml (compiled in):"), "{found:?}");
    assert!(found[2].ends_with(": plugin_configs.voice.config"), "{found:?}");
}

#[test]
fn flags_beat_the_environment_which_beats_the_file_which_beats_what_is_compiled_in() {
    let file = Some("[server]\nlisten = \"127.0.0.1:2\"\n");
    let environment = [("PURSER_LISTEN", "127.0.0.1:3")];
    let flags = [("server.listen", "127.0.0.1:4", "--listen")];
    for (file, environment, flags, port) in [
        (None, &[][..], &[][..], 7070),
        (file, &[], &[], 2),
        (file, &environment, &[], 3),
        (file, &environment, &flags, 4),
        (None, &[], &flags, 4),
    ] {
        let config = load_all(file, environment, flags).unwrap();
        assert_eq!(config.server.listen.port(), port);
        assert_eq!(config.server.body_bytes_max, 64 << 10, "what is not named stays");
    }
}

/// Sets each single setting of the shipped file by its variable: none is left out, and none does nothing.
#[test]
fn every_single_setting_has_a_variable() {
    let shipped = load_with(None, &[]).unwrap();
    let mut section = String::new();
    let mut found = Vec::new();
    for line in DEFAULT_CONFIG.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']').to_owned();
        } else if let (false, Some((key, _))) = (line.starts_with('#') || section.contains('.'), line.split_once(" = "))
        {
            found.push((section.clone(), key.to_owned()));
        }
    }
    assert_eq!(found.len(), 56, "{found:?}");
    for (section, key) in found {
        let variable = format!("PURSER_{section}_{key}").to_uppercase();
        let value = match key.as_str() {
            "suspended_parents_stop_children" | "allow_private_addresses" | "allow_http" | "metrics_need_key" => "true",
            "sold" => "false",
            "currency" => "EUR",
            "credits_min" => "2",
            "credits_max" => "2000",
            "listen" => "127.0.0.1:1",
            "keep_days" => "36",
            "stack_kib" | "head_kib_max" => "16",
            "help_url" => "mailto:help@example.com",
            "public_url" => "https://credits.example.com",
            "checkpoint_entries" => "1000",
            _ => "1",
        };
        // Certificate and key go together.
        let partner = match key.as_str() {
            "tls_certificate" => "PURSER_SERVER_TLS_KEY",
            _ => "PURSER_SERVER_TLS_CERTIFICATE",
        };
        let both = [(&*variable, value), (partner, value)];
        let given = if key.starts_with("tls_") { &both[..] } else { &both[..1] };
        assert_ne!(load_with(None, given).unwrap(), shipped, "{variable}");
    }
}

#[test]
fn variables_of_many_values_and_short_ones() {
    let no_settings = [("PURSER_ADMIN_KEY", "s"), ("PURSER_KEY", "s"), ("PURSER_SERVER", "http://ledger.internal")];
    let settings = [("PURSER_PLUGINS_SEARCH", "a:/b"), ("PURSER_DATA", "d")];
    let config = load_with(None, &[&no_settings[..], &settings].concat()).unwrap();
    assert_eq!(config.plugins.search, [PathBuf::from("a"), PathBuf::from("/b")]);
    assert_eq!(config.storage.data, PathBuf::from("d"));
}

#[test]
fn what_is_wrong_in_the_environment_and_in_flags_is_named_by_variable_and_flag() {
    let environment = [
        ("PURSER_SERVER_LISTN", "x"),
        ("PURSER_ADMINKEY", "a secret"),
        ("PURSER_PLANS_PRO_PACKAGE", "5"),
        ("PURSER_SERVER_BODY_KIB_MAX", "many"),
        ("PURSER_IDEMPOTENCY_MAX_AGE_DAYS", "35"),
        ("PURSER_DATA", "a"),
        ("PURSER_STORAGE_DATA", "b"),
        ("PURSER_STORAGE_CACHE_MIB", ""),
    ];
    let problems = load_all(None, &environment, &[("server.listen", "7070", "--listen")]).unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    --listen: server.listen: "7070" is no address and port, such as "127.0.0.1:7070"
    PURSER_ADMINKEY: no setting has this variable; did you mean PURSER_ADMIN_KEY?
    PURSER_IDEMPOTENCY_MAX_AGE_DAYS: idempotency.max_age_days: keep_days (35) must cover max_age_days (35) + max_future_minutes (5) + 1 hour, or an event that is still taken could be charged twice; keep_days = 36 would do
    PURSER_PLANS_PRO_PACKAGE: no setting has this variable
    PURSER_SERVER_BODY_KIB_MAX: server.body_kib_max: must be a whole number from 1 to 65536
    PURSER_SERVER_LISTN: no setting has this variable; did you mean PURSER_SERVER_LISTEN?
    PURSER_STORAGE_CACHE_MIB: storage.cache_mib: must be a whole number from 1 to 65536
    PURSER_STORAGE_DATA: storage.data: is set by PURSER_DATA too; keep one of them
    "#);
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let read_file = |_: &Path| Err(io::Error::from(io::ErrorKind::PermissionDenied));
    let inputs =
        Inputs { file: Some("etc/p.toml".into()), environment: Vec::new(), flags: Vec::new(), read_file: &read_file };
    assert_eq!(load(&inputs).unwrap_err().to_string(), "etc/p.toml: cannot be read: permission denied");
}
