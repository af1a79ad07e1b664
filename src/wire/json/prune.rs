//! Taking members out of an object, or giving them other names, and leaving the rest as it is.

use crate::wire::json::{
    JsonError,
    object::{Members, index_of},
};

/// The most keys that can be named: one bit each in what `prune` answers.
pub const KEYS_MAX: usize = 32;

/// Takes members out of the object that `out[from..]` is, and renames others.
///
/// The answer has a bit for each key that was there and is no more: those of `drops` in their
/// order, then the first names of `renames` where the second was there too. **Errors**: it is no
/// object; nothing is changed then. **Cost**: one walk over the bytes where no key is found;
/// another, with a copy, where one is.
pub fn prune(
    out: &mut Vec<u8>,
    from: usize,
    drops: &[&str],
    renames: &[(&str, &str)],
) -> Result<u32, JsonError> {
    debug_assert!(drops.len() + renames.len() <= KEYS_MAX);
    let body = out.get(from..).unwrap_or_default();
    let (mut dropped, mut renamed, mut taken) = (0_u32, 0_u32, 0_u32);
    let mut members = Members::of(body)?;
    while let Some((key, _)) = members.next()? {
        let key = key.of(body);
        if let Some(index) = index_of(key, drops) {
            dropped |= 1 << index;
        }
        for (index, (old, new)) in renames.iter().enumerate() {
            renamed |= u32::from(index_of(key, &[old]).is_some()) << index;
            taken |= u32::from(index_of(key, &[new]).is_some()) << index;
        }
    }
    if dropped == 0 && renamed == 0 {
        return Ok(0);
    }
    let mut kept = Vec::with_capacity(body.len() + 64);
    let mut members = Members::of(body)?;
    let (mut last, mut is_first) = (0, true);
    while let Some((key, value)) = members.next()? {
        let name = key.of(body);
        let rename = renames.iter().position(|(old, _)| index_of(name, &[old]).is_some());
        let is_dropped =
            index_of(name, drops).is_some() || rename.is_some_and(|index| taken >> index & 1 == 1);
        let (start, end) = (key.start as usize, value.end as usize);
        if is_dropped {
            // What stands before the first member stays before what becomes the first.
            if is_first && last == 0 {
                kept.extend_from_slice(&body[..start]);
            }
        } else {
            let between = &body[last..start];
            // One comma stands between two members, and none before the first.
            if !is_first || last == 0 {
                kept.extend_from_slice(between);
            }
            match rename {
                None => kept.extend_from_slice(&body[start..end]),
                Some(index) => {
                    kept.push(b'"');
                    kept.extend_from_slice(renames[index].1.as_bytes());
                    kept.push(b'"');
                    kept.extend_from_slice(&body[key.end as usize..end]);
                }
            }
            is_first = false;
        }
        last = end;
    }
    kept.extend_from_slice(&body[last..]);
    out.truncate(from);
    out.extend_from_slice(&kept);
    Ok(dropped | (renamed & taken) << drops.len())
}

#[cfg(test)]
mod tests {
    use super::prune;

    fn check(body: &str, expected: &str, bits: u32) {
        let mut out = format!("head {body}").into_bytes();
        let renames = [("old", "new"), ("x", "y")];
        let dropped = prune(&mut out, 5, &["a", "b"], &renames);
        assert_eq!(dropped, Ok(bits), "{body}");
        assert_eq!(String::from_utf8_lossy(&out), format!("head {expected}"));
    }

    #[test]
    fn members_go_with_their_commas_and_the_rest_stays_byte_for_byte() {
        check("{}", "{}", 0);
        check(r#"{ "c" : 1 , "d":[2] }"#, r#"{ "c" : 1 , "d":[2] }"#, 0);
        check(r#"{"a":1}"#, "{}", 1);
        check(r#" {"a":1,"c":2} "#, r#" {"c":2} "#, 1);
        check(r#"{"c":2, "a":{"b":1}}"#, r#"{"c":2}"#, 1);
        check(r#"{"c":2,"a":1 , "d":3}"#, r#"{"c":2 , "d":3}"#, 1);
        check(r#"{"a":1,"b":2,"c":3}"#, r#"{"c":3}"#, 3);
        check(r#"{"a":1,"c":3,"b":2}"#, r#"{"c":3}"#, 3);
        check(r#"{"\u0061":1,"c":"a"}"#, r#"{"c":"a"}"#, 1);
    }

    #[test]
    fn members_are_renamed_unless_the_new_name_is_there() {
        check(r#"{"old" : 1,"c":2}"#, r#"{"new" : 1,"c":2}"#, 0);
        check(r#"{"old":1,"new":2}"#, r#"{"new":2}"#, 4);
        check(r#"{"new":2,"old":1}"#, r#"{"new":2}"#, 4);
        check(r#"{"x":1,"a":2,"old":3}"#, r#"{"y":1,"new":3}"#, 1);
        check(r#"{"y":0,"x":1}"#, r#"{"y":0}"#, 8);
    }

    #[test]
    fn what_is_no_object_is_left_alone() {
        let mut out = b"[1]".to_vec();
        assert!(prune(&mut out, 0, &["a"], &[]).is_err());
        assert_eq!(out, b"[1]");
    }
}
