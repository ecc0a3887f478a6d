//! Random numbers that are the same in each run.

/// Xorshift64*, <https://en.wikipedia.org/wiki/Xorshift#xorshift*>: the same sequence for the same seed.
pub struct Random(u64);

impl Random {
    /// Seeds that differ in one bit give sequences that have nothing in common.
    pub const fn new(seed: u64) -> Self {
        // SplitMix64's last step, <https://prng.di.unimi.it/splitmix64.c>: neighbouring seeds far apart, and none is zero.
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((z ^ (z >> 31)) | 1)
    }

    /// 53 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    /// Below a limit, which is not zero.
    pub const fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True in so many of a hundred cases.
    pub const fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub const fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[2]
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}
