//! PKCS #7 padding, checked without a branch or an index that depends on the plaintext.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater};

use super::cipher::BLOCK;

/// The length without the padding, and whether the padding is sound. With unsound padding nothing is cut off, so that
/// what comes next has as much to do.
pub(super) fn unpad(padded: &[u8]) -> (usize, bool) {
    let Some(last) = padded.last_chunk::<BLOCK>() else {
        return (padded.len(), false);
    };
    let count = last[BLOCK - 1];
    let mut sound = !count.ct_eq(&0) & !count.ct_gt(&(BLOCK as u8));
    for (distance, byte) in (0u8..).zip(last.iter().rev()) {
        let is_padding = count.ct_gt(&distance);
        sound &= !is_padding | byte.ct_eq(&count);
    }
    (padded.len() - cut(count, sound), sound.into())
}

fn cut(count: u8, sound: Choice) -> usize {
    usize::from(u8::conditional_select(&0, &count, sound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_padding_of_a_last_block_is_judged_as_rfc_5652_has_it() {
        for count in 0..=255u8 {
            for broken in 0..BLOCK {
                let mut block = [0xEE; BLOCK];
                for byte in block.iter_mut().rev().take(usize::from(count)) {
                    *byte = count;
                }
                block[BLOCK - 1] = count;
                let good = (1..=16).contains(&count);
                let expected = if good { (BLOCK - usize::from(count), true) } else { (BLOCK, false) };
                assert_eq!(unpad(&block), expected, "count {count}");
                if good && broken >= BLOCK - usize::from(count) && broken < BLOCK - 1 {
                    block[broken] ^= 1;
                    assert_eq!(unpad(&block), (BLOCK, false), "count {count}, byte {broken} changed");
                }
            }
        }
    }
}
