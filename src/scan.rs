//! Searches bytes for the few that need care, at the speed of vector instructions: a transcript has a megabyte of others.

/// The place of the first byte that is special. The bytes are looked at in chunks of `CHUNK`: large ones where special
/// bytes are rare, small ones where they are not.
#[inline(always)]
pub(crate) fn position<const CHUNK: usize>(bytes: &[u8], is_special: impl Fn(u8) -> bool) -> Option<usize> {
    let (chunks, _) = bytes.as_chunks::<CHUNK>();
    // Without an early exit, a chunk takes a few vector instructions.
    let is_plain = |chunk: &&[u8; CHUNK]| !chunk.iter().fold(false, |any, byte| any | is_special(*byte));
    let plain = CHUNK * chunks.iter().take_while(is_plain).count();
    let rest = bytes.get(plain..)?;
    rest.iter().position(|byte| is_special(*byte)).map(|place| plain + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_is() {
        for length in 0..100 {
            for place in 0..length {
                let mut bytes = vec![b'a'; length];
                bytes[place..].fill(b'"');
                assert_eq!(position::<16>(&bytes, |byte| byte == b'"'), Some(place), "{place} of {length}");
                assert_eq!(position::<64>(&bytes, |byte| byte == b'"'), Some(place), "{place} of {length}");
            }
            assert_eq!(position::<16>(&vec![b'a'; length], |byte| byte == b'"'), None);
        }
    }
}
