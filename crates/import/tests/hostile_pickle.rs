//! Pickles that would run code, or grow, or never end.

use import::{ImportError, Sample};

use crate::support::with_samples;

fn samples(pickle: &[u8]) -> Result<Vec<Sample>, ImportError> {
    let bytes = with_samples(pickle);
    let samples = import::read(&bytes)?.sample_inputs()?;
    Ok(samples.map_or(vec![], |it| it.leaves))
}

fn kind(pickle: &[u8]) -> &'static str {
    samples(pickle).unwrap_err().kind()
}

fn unicode(text: &str) -> Vec<u8> {
    let mut code = vec![b'X'];
    code.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    code.extend(text.as_bytes());
    code
}

/// A float tensor over storage `0` of `len` elements.
fn tensor(len: u8, size: u8, stride: u8) -> Vec<u8> {
    let mut code = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((".to_vec();
    code.extend(unicode("storage"));
    code.extend(b"ctorch\nFloatStorage\n");
    code.extend(unicode("0"));
    code.extend(unicode("cpu"));
    code.extend([b'K', len, b't', b'Q', b'K', 0, b'K', size, 0x85, b'K', stride, 0x85, 0x89]);
    code.extend(b"ccollections\nOrderedDict\n)RtR.");
    code
}

#[test]
fn plain_values_are_read() {
    // Protocol 4: (True, 3, -1, 300, 70000, 2**40, 1.5, "é", None, b"x"), with a frame and a memo.
    let mut pickle = b"\x80\x04\x95\x10\0\0\0\0\0\0\0(\x88K\x03J\xff\xff\xff\xffM\x2c\x01".to_vec();
    pickle.extend(b"J\x70\x11\x01\x00\x8a\x06\0\0\0\0\0\x01G\x3f\xf8\0\0\0\0\0\0\x8c\x02");
    pickle.extend("é".as_bytes());
    pickle.extend(b"\x94NC\x01xt.");
    let expected = [
        Sample::Bool(true),
        Sample::Int(3),
        Sample::Int(-1),
        Sample::Int(300),
        Sample::Int(70_000),
        Sample::Int(1 << 40),
        Sample::Float(1.5),
        Sample::Str("é".into()),
        Sample::None,
        Sample::Other,
    ];
    assert_eq!(samples(&pickle).unwrap(), expected);
    // {'a': 1, 'b': [2], 'a': 3}: a later pair replaces, in the place of the first.
    let pickle = b"\x80\x02}(X\x01\0\0\0aK\x01X\x01\0\0\0b]K\x02aX\x01\0\0\0aK\x03u.";
    assert_eq!(samples(pickle).unwrap(), [Sample::Int(3), Sample::Int(2)]);
    assert_eq!(samples(b"\x80\x02N.").unwrap(), []);
}

#[test]
fn tensors_are_views_of_their_storage() {
    assert!(matches!(&samples(&tensor(6, 6, 1)).unwrap()[..], [Sample::Tensor(_)]));
    assert!(matches!(&samples(&tensor(6, 200, 0)).unwrap()[..], [Sample::Tensor(_)]));
    assert_eq!(kind(&tensor(6, 7, 1)), "short-weight");
    assert_eq!(kind(&tensor(7, 6, 1)), "short-weight");
    assert_eq!(kind(&tensor(6, 3, 3)), "short-weight");
}

#[test]
fn nothing_is_run() {
    for (pickle, global) in [
        (&b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R."[..], "os.system"),
        (b"\x80\x02cbuiltins\neval\nX\x01\0\0\x001\x85R.", "builtins.eval"),
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", "posix.system"),
        (b"\x80\x02ctorch\nload\n.", "torch.load"),
        (b"\x80\x02ctorch._utils\n_rebuild_device_tensor_from_numpy\n.", "from_numpy"),
    ] {
        let error = samples(pickle).unwrap_err();
        assert_eq!(error.kind(), "pickle-global");
        assert!(error.to_string().contains(global), "{error}");
    }
    for pickle in [
        // INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1, PERSID and the text opcodes of protocol 0.
        &b"\x80\x02(ios\nsystem\n."[..],
        b"\x80\x02(ccollections\nOrderedDict\no.",
        b"\x80\x02ccollections\nOrderedDict\n)\x81.",
        b"\x80\x02ccollections\nOrderedDict\n)}\x92.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02P1\n.",
        b"\x80\x02I1\n.",
        // A call of what is not a function; attributes of what has none.
        b"\x80\x02N)R.",
        b"\x80\x02K\x01}b.",
        b"\x80\x02ctorch\nFloatStorage\n)R.",
    ] {
        assert_eq!(kind(pickle), "pickle", "{pickle:?}");
    }
}

#[test]
fn broken_pickles_are_refused() {
    for pickle in [
        &b""[..],
        b".",
        b"\x80",
        b"\x80\x01N.",
        b"\x80\x06N.",
        b"\x80\x02t.",
        b"\x80\x02(0.",
        b"\x80\x02a.",
        b"\x80\x02(K\x01u.",
        b"\x80\x02}(K\x01u.",
        b"\x80\x02h\x05.",
        b"\x80\x02X\xff\xff\xff\xff.",
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x80\x02X\x01\0\0\0\xff.",
        b"\x80\x02\x8a\x09\0\0\0\0\0\0\0\0\x01.",
        b"\x80\x02\x8b\xff\xff\xff\xff.",
        b"\x80\x02cos",
        b"\x80\x02NQ.",
        b"\x80\x02)Q.",
    ] {
        assert_eq!(kind(pickle), "pickle", "{pickle:?}");
    }
}

#[test]
fn growth_is_bounded() {
    // A million lists, one in the other.
    let mut deep = b"\x80\x02".to_vec();
    deep.extend([b']'].repeat(1 << 20));
    deep.extend([b'a'].repeat((1 << 20) - 1));
    deep.push(b'.');
    assert_eq!(kind(&deep), "pickle");
    // A list that contains itself.
    assert_eq!(kind(b"\x80\x02]q\0h\0a."), "pickle");
    // A thousand laughs: each tuple holds the one before twice.
    let mut laughs = b"\x80\x02)q\0".to_vec();
    laughs.extend(b"h\0h\0\x86q\0".repeat(1000));
    laughs.push(b'.');
    assert_eq!(kind(&laughs), "pickle");
    // The same with empty ends and few levels.
    let mut laughs = b"\x80\x02)q\0".to_vec();
    laughs.extend(b"h\0h\0\x86q\0".repeat(60));
    laughs.push(b'.');
    assert_eq!(kind(&laughs), "pickle");
    // More values than any export has.
    let mut many = b"\x80\x02(".to_vec();
    many.extend([b'N'].repeat(9 << 20));
    many.extend(b"t.");
    assert_eq!(kind(&many), "pickle");
}
