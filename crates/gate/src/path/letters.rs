//! Plain letters that a letter outside ASCII may be read as: its base without marks, a
//! compatibility form, or a look-alike.
//!
//! Two letters that some file system, framework or font takes for one give the same result; no more
//! is promised of the result. Spec: Unicode Standard Annex 15 for what is composed; the look-alikes
//! are those of a to z among small Greek and Cyrillic letters.

use alloc::vec::Vec;

/// Whether readers may skip it: a mark on the letter before, or a character without width or shape.
pub(super) const fn is_passed_over(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{300}'..='\u{36f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{180b}'..='\u{180f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{200c}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{20d0}'..='\u{20f0}'
            | '\u{3099}'..='\u{309a}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{fe20}'..='\u{fe2f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Appends the readings of a small letter, at least the letter itself.
pub(super) fn push_base(letter: char, text: &mut Vec<u8>) {
    if let Some(base) = of_rows(letter).or_else(|| in_runs(letter)) {
        return text.push(base);
    }
    match several(letter) {
        "" => push_parts(letter, text),
        letters => text.extend_from_slice(letters.as_bytes()),
    }
}

/// A letter or digit of an alphabet that stands in the order of ASCII.
fn of_rows(letter: char) -> Option<u8> {
    let (start, first, count) = match letter {
        '\u{249c}'..='\u{24b5}' => (0x249c, b'a', 26),
        '\u{24d0}'..='\u{24e9}' => (0x24d0, b'a', 26),
        // Mathematical alphabets, large and small in turn.
        '\u{1d400}'..='\u{1d6a3}' => (0x1d400, b'a', 26),
        '\u{1d7ce}'..='\u{1d7ff}' => (0x1d7ce, b'0', 10),
        '\u{1f110}'..='\u{1f129}' => (0x1f110, b'a', 26),
        '\u{1f130}'..='\u{1f149}' => (0x1f130, b'a', 26),
        '\u{1f150}'..='\u{1f169}' => (0x1f150, b'a', 26),
        '\u{1f170}'..='\u{1f189}' => (0x1f170, b'a', 26),
        '\u{1fbf0}'..='\u{1fbf9}' => (0x1fbf0, b'0', 10),
        _ => return None,
    };
    let place = u32::from(letter).wrapping_sub(start).checked_rem(count)?;
    Some(first.wrapping_add(u8::try_from(place).ok()?))
}

/// A letter in one of the [`RUNS`].
fn in_runs(letter: char) -> Option<u8> {
    let next = RUNS.partition_point(|(start, _)| *start <= letter);
    let (start, bases) = RUNS.get(next.checked_sub(1)?)?;
    let place = u32::from(letter).checked_sub(u32::from(*start))?;
    bases.get(usize::try_from(place).ok()?).copied().filter(|base| *base != b'.')
}

/// The letters that one letter is read as.
const fn several(letter: char) -> &'static str {
    match letter {
        'æ' => "ae",
        'œ' => "oe",
        'ß' => "ss",
        'ĳ' => "ij",
        'ǆ' | 'ǳ' => "dz",
        'ǉ' => "lj",
        'ǌ' => "nj",
        '№' => "no",
        '™' => "tm",
        '\u{2171}' => "ii",
        '\u{2172}' => "iii",
        '\u{2173}' => "iv",
        '\u{2175}' => "vi",
        '\u{2176}' => "vii",
        '\u{2177}' => "viii",
        '\u{2178}' => "ix",
        '\u{217a}' => "xi",
        '\u{217b}' => "xii",
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' | '\u{fb06}' => "st",
        _ => "",
    }
}

/// A syllable of Hangul as the letters that it is composed of, kana without its sound mark, any
/// other letter as it is.
fn push_parts(letter: char, text: &mut Vec<u8>) {
    let code = u32::from(letter);
    // From Katakana to Hiragana.
    let kana = if (0x30a1..=0x30f4).contains(&code) { code.wrapping_sub(0x60) } else { code };
    let marks = match kana {
        0x304c..=0x3062 => kana.wrapping_add(1) & 1,
        0x3065..=0x3069 => kana & 1,
        0x3070..=0x307d => kana.wrapping_sub(0x306f).checked_rem(3).unwrap_or(0),
        0x3094 => 0x4e,
        _ => 0,
    };
    let place = code.wrapping_sub(0xac00);
    let parts = match code {
        0xac00..=0xd7a3 => [
            place.checked_div(588).map(|lead| lead.wrapping_add(0x1100)),
            place.checked_rem(588).and_then(|rest| rest.checked_div(28)?.checked_add(0x1161)),
            place.checked_rem(28).filter(|tail| *tail > 0).map(|tail| tail.wrapping_add(0x11a7)),
        ],
        _ => [code.checked_sub(marks), None, None],
    };
    for part in parts.into_iter().flatten().filter_map(char::from_u32) {
        text.extend_from_slice(part.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Bases of the letters from each of these on; a dot where a letter has none.
const RUNS: &[(char, &[u8])] = &[
    ('\u{aa}', b"a"),
    ('\u{b2}', b"23.u...1o"),
    ('\u{e0}', b"aaaaaa.ceeeeiiiidnooooo.ouuuuy.y.a.a.a.c.c.c.c.d.d.e.e.e.e.e.g.g.g.g.h.h.i.i.i.ii....j.kk.l.l.l...l.n.n.n..n.o.o.o...r.r.r.s.s.s.s.t.t.t.u.u.u.u.u.u.w.y..z.z.zsb"),
    ('\u{1a1}', b"o"),
    ('\u{1b0}', b"u"),
    ('\u{1ce}', b"a.i.o.u.u.u.u.u..a.a.....g.k.o.o..j....g...n.a.....a.a.e.e.i.i.o.o.r.r.u.u.s.t...h"),
    ('\u{227}', b"a.e.o.o.o.o.y"),
    ('\u{251}', b"a"),
    ('\u{261}', b"g"),
    ('\u{26a}', b"i"),
    ('\u{280}', b"r"),
    ('\u{28f}', b"y"),
    ('\u{29c}', b"h..l"),
    ('\u{2b0}', b"h.jr...wy"),
    ('\u{2e1}', b"lsx"),
    ('\u{390}', b"i"),
    ('\u{3ac}', b"aeniuaby.ezn.ik.uv.o.pootu.x.wiuouw"),
    ('\u{3f2}', b"cj"),
    ('\u{430}', b"a.b..e..uuk.mho.pcty.x"),
    ('\u{450}', b"ee...siij...kuy"),
    ('\u{475}', b"v"),
    ('\u{4bb}', b"h"),
    ('\u{501}', b"d"),
    ('\u{51b}', b"q.w"),
    ('\u{1d2c}', b"a.b.de.ghijklmn.o.prtuwa...bde...g.km.o...ptu..v"),
    ('\u{1d62}', b"iruv"),
    ('\u{1d9c}', b"c...f"),
    ('\u{1dbb}', b"z"),
    ('\u{1e01}', b"a.b.b.b.c.d.d.d.d.d.e.e.e.e.e.f.g.h.h.h.h.h.i.i.k.k.k.l.l.l.l.m.m.m.n.n.n.n.o.o.o.o.p.p.r.r.r.r.s.s.s.s.s.t.t.t.t.u.u.u.u.u.v.v.w.w.w.w.w.x.x.y.z.z.zhtwy.s.....a.a.a.a.a.a.a.a.a.a.a.a.e.e.e.e.e.e.e.e.i.i.o.o.o.o.o.o.o.o.o.o.o.o.u.u.u.u.u.u.u.y.y.y.y"),
    ('\u{2070}', b"0i..456789.....n0123456789"),
    ('\u{2090}', b"aeox.hklmnpst"),
    ('\u{2102}', b"c"),
    ('\u{210a}', b"ghhhh.iill.n...pqrrr"),
    ('\u{2124}', b"z...z...bc.eef.mo....i"),
    ('\u{2145}', b"ddeij"),
    ('\u{2170}', b"i...v....x..lcdm"),
    ('\u{2460}', b"123456789"),
    ('\u{2c7c}', b"jv"),
    ('\u{a7f2}', b"cfq"),
];
