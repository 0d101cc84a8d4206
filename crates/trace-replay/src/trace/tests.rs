//! Traces as data: text in, rows or the message out.

use super::*;

fn check(text: &str, expected: Result<&[(&str, u64, u64)], &str>) {
    let read = read(text.as_bytes(), None).map_err(|error| error.to_string());
    let rows = read.as_ref().map(|rows| {
        rows.iter().map(|row| (row.at.to_string(), row.context_tokens, row.generated_tokens)).collect::<Vec<_>>()
    });
    match (rows, expected) {
        (Ok(rows), Ok(expected)) => {
            let expected: Vec<_> = expected.iter().map(|(at, c, g)| ((*at).to_owned(), *c, *g)).collect();
            assert_eq!(rows, expected, "{text:?}");
        }
        (Err(message), Err(part)) => assert!(message.contains(part), "{text:?}: {message}"),
        (rows, expected) => panic!("{text:?}: {rows:?} and not {expected:?}"),
    }
}

#[test]
fn rows_are_read() {
    let one = [("2023-11-16T18:15:46.680Z", 374, 44)];
    check("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n", Ok(&one));
    check("TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n", Ok(&one));
    check("\u{feff}TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44", Ok(&one));
    check("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16T19:15:46.6809999+01:00, 374 ,44\n\n", Ok(&one));
    check("GeneratedTokens,model,timestamp,ContextTokens\n44,x,2023-11-16 18:15:46.680,374\n", Ok(&one));
    check(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,0\n2023-11-16 18:15:45.5,0,2\n",
        Ok(&[("2023-11-16T18:15:46Z", 1, 0), ("2023-11-16T18:15:45.500Z", 0, 2)]),
    );
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let head = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\n";
    for (tail, part) in [
        ("16.11.2023,1,1\n", "line 3: TIMESTAMP is \"16.11.2023\""),
        ("2023-11-16 18:15:46,-1,1\n", "line 3: ContextTokens is \"-1\", and should be a whole number"),
        ("2023-11-16 18:15:46,1,1.5\n", "line 3: GeneratedTokens is \"1.5\""),
        ("\r\n\n2023-11-16 18:15:46,1,\n", "line 5: GeneratedTokens is \"\""),
        ("2023-11-16 18:15:46,1\r\n", "line 3: GeneratedTokens is \"\""),
    ] {
        check(&format!("{head}{tail}"), Err(part));
    }
    let crlf = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46,1,1\r\nnonsense,1,1\r\n";
    check(crlf, Err("line 3: TIMESTAMP"));
    check("2023-11-16 18:15:46,1,1\n", Err("line 1: the header has no column TIMESTAMP"));
    check("TIMESTAMP,ContextTokens\n", Err("no column GeneratedTokens"));
    check("TIMESTAMP,ContextTokens,GeneratedTokens\n", Err("no rows"));
    check("", Err("no column TIMESTAMP"));
}

#[test]
fn a_limit_ends_the_reading() {
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\nnonsense,2,2\n";
    assert_eq!(read(text.as_bytes(), Some(1)).unwrap().len(), 1);
}

#[test]
fn bytes_that_are_no_text_are_named() {
    let error = read(&b"TIMESTAMP,ContextTokens,GeneratedTokens\n\xff\n"[..], None).unwrap_err();
    assert_eq!(error.to_string(), "line 2 cannot be read");
}
