//! Each format by rows, and that pieces of any length give the same.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Reads the trace whole: a line for each request, and then the error if there is one.
fn read(format: Format, trace: &[u8]) -> Vec<String> {
    read_in_pieces(format, &[trace])
}

fn read_in_pieces(format: Format, pieces: &[&[u8]]) -> Vec<String> {
    let mut seen = Vec::new();
    let mut each = |request: TraceRequest<'_>| {
        let mut line = request.key.escape_ascii().to_string();
        for (name, number) in
            [("time", request.time), ("size", request.size), ("ttl", request.ttl.map(|t| t.as_secs()))]
        {
            if let Some(number) = number {
                line += &format!(" {name}={number}");
            }
        }
        if request.op != TraceOp::Get {
            line += &format!(" {:?}", request.op);
        }
        seen.push(line);
    };
    let mut parser = Parser::new(format);
    let pushed = pieces.iter().try_for_each(|piece| parser.push(piece, &mut each));
    let outcome = pushed.and_then(|()| parser.finish(&mut each));
    if let Err(error) = outcome {
        assert_eq!(parser.push(b"1\n", &mut |_| panic!("delivered after an error")), Err(error.clone()));
        seen.push(error.to_string());
    }
    seen
}

fn check(format: Format, trace: impl AsRef<[u8]>, expected: &[&str]) {
    let trace = trace.as_ref();
    assert_eq!(read(format, trace), expected, "{format}: {}", trace.escape_ascii());
}

#[test]
fn a_key_a_line() {
    check(Format::Lines, "", &[]);
    check(Format::Lines, "\n\r\n", &[]);
    check(Format::Lines, "a", &["a"]);
    check(Format::Lines, "a\nb\n", &["a", "b"]);
    check(Format::Lines, "a\r\n\r\nb c\r\n", &["a", "b c"]);
    check(Format::Lines, " 007 \n", &[" 007 "]);
    check(Format::Lines, "\u{feff}a\n\u{feff}a\n", &["a", "\\xef\\xbb\\xbfa"]);
    check(Format::Lines, b"\xff\x00,\"\n", &["\\xff\\x00,\\\""]);
    let longest = "k".repeat(crate::limits::MAX_KEY);
    check(Format::Lines, format!("{longest}\n"), &[&longest]);
    check(
        Format::Lines,
        format!("a\n\n{longest}k\n"),
        &["a", "line 3: the key has 65536 bytes; a key has 1 to 65535 bytes"],
    );
    let endless = "k".repeat(crate::limits::MAX_TRACE_LINE + 1);
    let too_long = "line 2: the line is too long; a line has at most 262144 bytes";
    check(Format::Lines, format!("a\n{endless}"), &["a", too_long]);
    check(Format::Lines, format!("a\n{endless}\nb\n"), &["a", too_long]);
}

#[test]
fn csv_with_a_header() {
    check(Format::Csv, "time,key,size\n0,1,68\n1,24864,7454\n", &["1 time=0 size=68", "24864 time=1 size=7454"]);
    check(Format::Csv, "key\na\nb", &["a", "b"]);
    check(
        Format::Csv,
        "\n \"Key\" , x\na,1\n",
        &["line 2: the header has no key column (it is \" \\\"Key\\\" , x\"); it names one of key, obj_id, id, key_id"],
    );
    check(Format::Csv, "\u{feff}\"Obj_ID\",VALUE_SIZE\r\n7,8\r\n", &["7 size=8"]);
    check(Format::Csv, "id,key\n1,a\n", &["a"]);
    check(Format::Csv, "key_id,x,op,ttl\na,?,SET,60\nb,,gets,0\nc,,,\n", &["a ttl=60 Set", "b", "c"]);
    check(
        Format::Csv,
        "x,key\n\"1,\n\",\"a\"",
        &["line 2: a quoted field is not closed; it ends with a quote on the same line"],
    );
    check(
        Format::Csv,
        "key,size\n\"a,b\",1\n\"a\"\"b\"\"\",2\n\"\"\"\",3\n\"a\"\n",
        &["a,b size=1", "a\\\"b\\\" size=2", "\\\" size=3", "line 5: the line has 1 fields where it should have 2"],
    );
    check(
        Format::Csv,
        "key\n\"a\"b\n",
        &["line 2: something follows a closing quote; a comma or the end of the line must (\"\" is a quote)"],
    );
    check(Format::Csv, "key\na,b\n", &["line 2: the line has 2 fields where it should have 1"]);
    check(Format::Csv, "key,size\na,1\n,2\n", &["a size=1", "line 3: the key is empty; a key has 1 to 65535 bytes"]);
    let number = "it is a whole number from 0 to 18446744073709551615";
    check(Format::Csv, "key,size\na,-1\n", &[&format!("line 2: the size is \"-1\"; {number}")]);
    check(Format::Csv, "key,time\na,1.5\n", &[&format!("line 2: the time is \"1.5\"; {number}")]);
    check(
        Format::Csv,
        "key,time\na,18446744073709551615\nb,18446744073709551616\n",
        &["a time=18446744073709551615", &format!("line 3: the time is \"18446744073709551616\"; {number}")],
    );
    check(
        Format::Csv,
        "key,ttl\na,9999999999\n",
        &["line 2: the TTL is 9999999999 s; it is at most 3153600000 s, and 0 for none"],
    );
    check(
        Format::Csv,
        "key,op\na,frob\u{1b}\n",
        &["line 2: the operation is \"frob\\u{1b}\"; it is one of get, gets, read, set, put, write, add, replace, \
         cas, append, prepend, incr, decr, delete, del, remove"],
    );
    check(Format::Csv, "key,size,size\n", &["line 1: the header has the column \"size\" twice"]);
    let none = "line 1: the header has no key column (it is \"\"); it names one of key, obj_id, id, key_id";
    check(Format::Csv, "", &[none]);
    check(Format::Csv, "time,size\n1,2\n", &[&none.replace("\"\"", "\"time,size\"")]);
}

#[test]
fn oracle_general_records() {
    let record = |time: u32, object: u64, size: u32, next: i64| {
        let mut bytes = time.to_le_bytes().to_vec();
        bytes.extend(object.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        bytes
    };
    check(Format::OracleGeneral, "", &[]);
    let two = [record(1, 0, 2, 5), record(u32::MAX, u64::MAX, u32::MAX, -1)].concat();
    let expected = ["0 time=1 size=2", "18446744073709551615 time=4294967295 size=4294967295"];
    check(Format::OracleGeneral, &two, &expected);
    check(
        Format::OracleGeneral,
        &two[..31],
        &[expected[0], "record 2: the trace ends after 7 bytes of the record; a record has 24"],
    );
    assert_eq!(Format::detect("x", &two), Some(Format::OracleGeneral));
    assert_eq!(Format::detect("x", &record(1, 0, 2, 0)), None, "an object that is asked for again before the trace");
    assert_eq!(Format::detect("x", &two[..23]), None);
    assert_eq!(Format::detect("w.oracleGeneral.bin.zst", b""), Some(Format::OracleGeneral));
}

#[test]
fn twitter_lines() {
    check(
        Format::Twitter,
        "0,nz:u:eeW511W3dcH3de3d15ec,22,304,7,get,0\n1,q,1,2,3,add,3600\n",
        &["nz:u:eeW511W3dcH3de3d15ec time=0 size=304", "q time=1 size=2 ttl=3600 Add"],
    );
    check(Format::Twitter, "0,a,b,c,3,9,7,incr,0\n", &["a,b,c time=0 size=9 Replace"]);
    check(Format::Twitter, "0,a,3,9,7,delete\n", &["line 1: the line has 6 fields where it should have 7"]);
    check(Format::Twitter, "a\n", &["line 1: the line has 1 fields where it should have 7"]);
    check(
        Format::Twitter,
        "0,a,3,9,7,get,0\n1,,3,9,7,get,0\n",
        &["a time=0 size=9", "line 2: the key is empty; a key has 1 to 65535 bytes"],
    );
    let number = "it is a whole number from 0 to 18446744073709551615";
    check(Format::Twitter, "x,a,3,9,7,get,0\n", &[&format!("line 1: the timestamp is \"x\"; {number}")]);
    check(Format::Twitter, "0,a,3,,7,get,0\n", &[&format!("line 1: the value size is \"\"; {number}")]);
}

#[test]
fn formats_are_told_apart() {
    let check = |name: &str, head: &str, expected: Option<Format>| {
        assert_eq!(Format::detect(name, head.as_bytes()), expected, "{name} {head:?}");
    };
    check("t.csv.gz", "time,key,size\n0,1,1\n", Some(Format::Csv));
    check("trace", "\u{feff}\n\r\ntime,\"Key\"\r\n0,1\r\n", Some(Format::Csv));
    check("-", "obj_id\n5\n", Some(Format::Csv));
    check("t.CSV", "time,what\n", Some(Format::Csv));
    check("t.csv", "0,nz:u:e,22,304,7,get,0\n", Some(Format::Twitter));
    check("cluster052.sort.zst", "0,a,b,22,304,7,gets,0\n1,", Some(Format::Twitter));
    check("t.txt", "17\n18\n", Some(Format::Lines));
    check("t.txt", "", Some(Format::Lines));
    check("t.txt", "http://host/a?b=c\n", Some(Format::Lines));
    check("t.txt", "1,2,3\n", None);
    for format in Format::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
    assert_eq!("CSV ".parse::<Format>(), Err(ParseFormatError));
}

/// Bytes that come close to being traces, often enough to reach every branch.
fn near_traces() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "time,key,size\n",
        "key,op,ttl\n",
        "key\n",
        "1,a,3\n",
        "a,set,5\n",
        "\"a\"\"\",get,0\n",
        "0,k,1,2,3,get,0\n",
        "0,k,\n",
        "\n",
        "\r\n",
        "\"",
        ",",
        "7",
        "x",
        "\u{feff}",
        "99999999999999999999",
        "\0\0\0\0\u{1}",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat().into_bytes())
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        trace in near_traces(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(trace.len() + 1)).collect();
        cuts.extend([0, trace.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &trace[cut[0]..cut[1]]).collect();
        for format in Format::ALL {
            prop_assert_eq!(read_in_pieces(format, &pieces), read(format, &trace));
        }
    }

    #[test]
    fn any_bytes_end_in_requests_or_an_error(trace in prop::collection::vec(any::<u8>(), 0..400), name in ".{0,20}") {
        for format in Format::ALL {
            read(format, &trace);
        }
        let _ = Format::detect(&name, &trace);
    }

    #[test]
    fn a_written_csv_reads_back(keys in prop::collection::vec("[a-z\",:é ]{1,12}", 0..20)) {
        let rows = keys.iter().map(|key| format!("\"{}\",1\n", key.replace('"', "\"\"")));
        let trace = "key,time\n".to_owned() + &rows.collect::<String>();
        let expected = keys.iter().map(|key| format!("{} time=1", key.as_bytes().escape_ascii()));
        let expected: Vec<String> = expected.collect();
        prop_assert_eq!(read(Format::Csv, trace.as_bytes()), expected);
    }
}
