use super::*;

#[test]
fn files_are_read_whole_or_refused_with_what_is_wrong() {
    let check = |text: &str, expected: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(DEFAULT_FILE);
        std::fs::write(&path, text).expect("written");
        let bounds = Bounds { max_value: 5, max_file: 1_000 };
        let mut seen = String::new();
        let mut each = |entry: Restored| {
            let value = String::from_utf8_lossy(&entry.value.bytes).into_owned();
            let key = String::from_utf8_lossy(entry.key.as_bytes()).into_owned();
            seen += &format!("{key}={value}@{}", entry.deadline.map_or(String::new(), |d| d.0.to_string()));
            Ok(())
        };
        let mut file = File::open(&path).expect("just written");
        match read(&mut file, bounds, &mut each) {
            Ok(()) => assert_eq!(seen, expected, "{text}"),
            Err(ReadError::Content(error)) => {
                let sentence = error.split(" at line ").next().unwrap_or_default();
                assert_eq!(sentence, expected, "{text}");
                assert!(error.contains(" at line 1 column ") || error.starts_with("it has "), "{error}");
            }
            Err(ReadError::Io(error)) => panic!("{error}"),
        }
    };
    let ours = |entries: &str| format!(r#"{{"format":"vitrine-cache","version":1,"entries":[{entries}]}}"#);
    check(&ours(r#"{"key":"a","value":"1","version":"1-2-3","deadline_unix_ms":7}"#), "a=1@7");
    check(&ours(r#"{"key":"YQ==","key_encoding":"base64","value":"Yg==","encoding":"base64"}"#), "a=b@");
    check(&ours(""), "");
    check("{}", "");
    check(r#"{"a":{"value":"1","expiry":1700000000},"b":{"value":2}}"#, "a=1@1700000000000b=2@");
    check(r#"{"a":{"Value":"1","Expiration":"2023-11-14T22:13:20Z"}}"#, "a=1@1700000000000");
    check("", "it was cut off");
    check("[]", "invalid type: sequence, expected an object");
    check(r#"{"format":"other"}"#, "its `format` is not `vitrine-cache`");
    check(
        r#"{"format":"vitrine-cache","version":2}"#,
        "a newer version wrote it: version 2, and this one reads version 1",
    );
    check(r#"{"format":"vitrine-cache"}"#, "`entries` is missing");
    check(&ours(r#"{"key":"","value":"1"}"#), "the key is empty; a key has 1 to 65535 bytes");
    check(&ours(r#"{"key":"a","value":"123456"}"#), "a value has 6 bytes, and the limit is 5");
    check(&ours(r#"{"key":"a"}"#), "missing field `value`");
    check(&ours(r#"{"key":"a","value":"1"}"#).replace("]}", "]"), "it was cut off");
    check(&"[".repeat(500), "invalid type: sequence, expected an object");
    check(&format!("{{\"a\":{}", "[".repeat(500)), "invalid type: sequence, expected an entry as an object");
    check(&format!("{{\"a\":{{\"value\":{}", "[".repeat(500)), "recursion limit exceeded");
    check(r#"{"a":["1",1700000000]}"#, "invalid type: sequence, expected an entry as an object");
    check(&ours(r#"["a",null,"1",null,null,null,""]"#), "invalid type: sequence, expected an entry as an object");
    check(&" ".repeat(1_001), "it has 1001 bytes, and 1000 are taken");
}

#[test]
fn file_names_stay_in_their_folder() {
    for good in ["cache.json", "a", "A-b_c.1.json"] {
        assert!(is_file_name(good), "{good}");
    }
    for bad in ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", ".hidden", "a b", "ä", "a\0"] {
        assert!(!is_file_name(bad), "{bad}");
    }
}
