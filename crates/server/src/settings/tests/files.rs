//! What `.env` and the settings file may hold.

use super::Start;
use crate::settings::limits::MAX_FILE_BYTES;
use crate::settings::{CorsOrigins, Secret};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn values_of_a_file_stand_in_their_own_types_or_in_quotes() {
    let settings = Start::new()
        .file(
            "waybill.toml",
            &format!(
                "app_port = \"1001\"\ndelay_scale = 0.01\nrate_limit_per_minute = 1_000\n\
                 jwt_known_users_only = true\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n\
                 cors_origins = []\njwt_secret = [\"{SECRET}\", \"{SECRET}2\"]\ndata_dir = \"data\"\n"
            ),
        )
        .settings();
    assert_eq!(settings.app_port, 1001);
    assert_eq!(
        settings.delay_scale,
        model::head::DelayScale::from_parts_per_million(10_000)
    );
    assert_eq!(settings.rate_limit_per_minute, 1_000);
    assert!(settings.jwt_known_users_only);
    assert_eq!(settings.trusted_proxies.len(), 2);
    assert_eq!(settings.cors_origins, CorsOrigins::Closed);
    let secrets = [SECRET.to_owned(), format!("{SECRET}2")];
    assert_eq!(
        settings.jwt_secret,
        Some(secrets.map(|secret| Secret::new(&secret)).to_vec())
    );
    assert_eq!(settings.data_dir.to_str(), Some("data"));
    let by_the_variables_name = Start::new().file("waybill.toml", "waybill_data_dir = 'data'");
    assert_eq!(by_the_variables_name.settings().data_dir.to_str(), Some("data"));
}

#[test]
fn a_value_of_another_type_is_refused_and_not_shown() {
    for (line, setting) in [
        ("app_port = true", "app_port"),
        ("app_port = [1]", "app_port"),
        ("app_port = 0x1F90", "app_port"),
        ("admin_password = 12345678", "admin_password"),
        ("jwt_known_users_only = 1", "jwt_known_users_only"),
        ("cors_origins = [1]", "cors_origins"),
        ("trusted_proxies = [\"::1,::2\"]", "trusted_proxies"),
        ("[env]\nname = \"12345678\"", "env"),
    ] {
        let problems = Start::new().file("waybill.toml", line).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        let begins = format!("waybill.toml: {setting} is not written as its kind of value is: use ");
        assert!(problems[0].starts_with(&begins), "{problems:?}");
        assert!(!problems[0].contains("12345678"), "{problems:?}");
    }
}

#[test]
fn an_unknown_key_is_told_with_the_nearest_that_is_known() {
    for (text, unknown, nearest) in [
        ("app_prot = 1", "app_prot", "app_port"),
        ("APP_PORT = 1", "APP_PORT", "app_port"),
        ("jwt-secret = 'x'", "jwt-secret", "jwt_secret"),
        ("[seeds]\ndemo = true", "seeds", "seed"),
    ] {
        let told = format!("waybill.toml: unknown key \"{unknown}\": did you mean {nearest}?");
        assert_eq!(Start::new().file("waybill.toml", text).problems(), [told]);
    }
}

#[test]
fn a_file_that_is_not_toml_is_told_with_its_line_and_not_its_text() {
    for text in [
        "app_port = 1\njwt_secret = hush\n",
        "app_port = 1\njwt_secret 'hush'\n",
        "\napp_port = 1\n app_port = 2",
    ] {
        let problems = Start::new().file("waybill.toml", text).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("waybill.toml:"), "{problems:?}");
        assert!(
            problems[0].contains(": not TOML: ") && !problems[0].contains("hush"),
            "{problems:?}"
        );
    }
    let second = Start::new()
        .file("waybill.toml", "app_port = 1\njwt_secret = hush\n")
        .problems();
    assert!(second[0].starts_with("waybill.toml:2: "), "{second:?}");
}

#[test]
fn a_file_of_no_text_is_refused() {
    let start = Start::new();
    std::fs::write(start.working_dir.path().join("waybill.toml"), b"env = '\xff'").unwrap();
    std::fs::write(start.working_dir.path().join(".env"), b"ENV=\xff").unwrap();
    assert_eq!(
        start.problems(),
        [".env: is not UTF-8", "waybill.toml: is not UTF-8"]
    );
    let length = usize::try_from(MAX_FILE_BYTES).unwrap();
    let longest = Start::new().file("waybill.toml", &" ".repeat(length));
    longest.settings();
    let problems = longest.file("waybill.toml", &" ".repeat(length + 1)).problems();
    assert_eq!(
        problems,
        ["waybill.toml: more than 1048576 bytes are no settings"]
    );
}

#[test]
fn dot_env_is_read_as_shells_would_and_goes_nowhere_else() {
    let start = Start::new().file(
        ".env",
        "\u{feff}# comment\r\n\nexport APP_PORT=1001 # and a comment\nENV=\"a b\"\nADMIN_PASSWORD='pa$HOME word'\n\
         THEIRS=x\nSEED=demo\nSEED=\n",
    );
    let settings = start.settings();
    assert_eq!(settings.app_port, 1001);
    assert_eq!(settings.env, "a b");
    assert_eq!(settings.admin_password, Some(Secret::new("pa$HOME word")));
    assert_eq!(settings.seed, None);
    assert_eq!(std::env::var_os("ADMIN_PASSWORD"), None);
    assert_eq!(std::env::var_os("THEIRS"), None);
}

#[test]
fn a_line_of_dot_env_that_cannot_be_read_is_told_by_its_number_only() {
    for (text, line) in [
        ("APP_PORT=1\nJWT_SECRET hush\n", 2),
        ("JWT_SECRET='hush\nmore\n", 1),
        ("THEIRS=hush\nhush\n", 2),
        ("A=1\n\n\"hush\"=1\n", 3),
    ] {
        let told = format!(".env:{line}: not a line of the form NAME=value, or a quote is not closed");
        assert_eq!(Start::new().file(".env", text).problems(), [told]);
    }
}

#[test]
fn a_folder_in_the_place_of_dot_env_is_not_it() {
    let start = Start::new();
    std::fs::create_dir(start.working_dir.path().join(".env")).unwrap();
    start.settings();
}
