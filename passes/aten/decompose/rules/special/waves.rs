//! Bessel functions of the first and second kind, of orders 0 and 1.
//!
//! Rational fits of Moshier's Cephes library in double precision, near and far of 5, evaluated as
//! eager does: it leaves the highest term of the far fits' second denominators out, which is 3e-7
//! of the value just above 5. The right digits would differ from what users compare with.

use ir::{Result, ValueId, scalar::ScalarFn as F};

use super::{number, polynomial, where_number};
use crate::decompose::{cx::Cx, emit::float};

type Value = Result<ValueId>;

/// Where one fit ends and the other begins.
const BORDER: f64 = 5.0;

/// The quotient of two polynomials; the highest powers come first.
struct Fit {
    over: &'static [f64],
    under: &'static [f64],
}

/// What is known of an order: the waves of the asymptotic expansion, and both kinds near zero.
struct Order {
    n: u32,
    /// In phase, by `(5 / x)²`.
    even: Fit,
    /// Out of phase, by the same, times `5 / x`.
    odd: Fit,
    /// Of the first kind by `x²`, without the squares of its first two zeros.
    first: Fit,
    zeros: [f64; 2],
    /// Of the second kind by `x²`, without the logarithm.
    second: Fit,
}

const ORDER_0: Order = Order {
    n: 0,
    even: Fit {
        over: &[
            0.000_796_936_729_297_347_1,
            0.082_835_239_210_744_08,
            1.239_533_716_464_143,
            5.447_250_030_587_687,
            8.747_165_001_998_17,
            5.303_240_382_353_949,
            1.0,
        ],
        under: &[
            0.000_924_408_810_558_863_7,
            0.085_628_847_435_447_45,
            1.253_527_439_010_589_5,
            5.470_977_403_304_171,
            8.761_908_832_370_695,
            5.306_052_882_353_947,
            1.0,
        ],
    },
    odd: Fit {
        over: &[
            -0.011_366_383_889_846_916,
            -1.282_527_186_705_093_1,
            -19.553_954_425_773_597,
            -93.206_015_212_376_83,
            -177.681_167_980_488_06,
            -147.077_505_154_951_18,
            -51.410_532_676_659_93,
            -6.050_143_506_007_285,
        ],
        under: &[
            64.317_825_611_817_8,
            856.430_025_976_980_6,
            3_882.401_836_054_016_3,
            7_240.467_741_956_525,
            5_930.727_011_873_169,
            2_062.093_316_603_278_3,
            242.005_740_240_291_4,
        ],
    },
    first: Fit {
        over: &[
            -4_794_432_209.782_018,
            1_956_174_919_465.565_7,
            -249_248_344_360_967.72,
            9_708_622_510_473_064.0,
        ],
        under: &[
            499.563_147_152_651,
            173_785.401_676_374_7,
            48_440_965.833_996_21,
            11_185_553_704.535_683,
            2_112_775_201_154.892,
            310_518_229_857_422.56,
            3.181_219_559_432_049_6e+16,
            1.710_862_940_810_431_5e+18,
        ],
    },
    zeros: [5.783_185_962_946_784, 30.471_262_343_662_087],
    second: Fit {
        over: &[
            15_592.436_785_523_574,
            -14_663_929.590_397_16,
            5_435_264_770.518_765,
            -982_136_065_717.911_5,
            87_590_639_439_536.7,
            -3_466_283_033_847_297.0,
            4.427_332_685_725_698_4e+16,
            -1.849_508_004_369_866_8e+16,
        ],
        under: &[
            1_041.283_536_642_598_4,
            626_107.330_137_135,
            268_919_633.393_814_15,
            86_400_248_710.393_5,
            20_297_961_275_010.555,
            3_171_577_528_429_750.5,
            2.505_962_561_726_530_6e+17,
        ],
    },
};

const ORDER_1: Order = Order {
    n: 1,
    even: Fit {
        over: &[
            0.000_762_125_616_208_173_1,
            0.073_139_705_694_091_76,
            1.127_196_081_296_849_3,
            5.112_079_511_468_076,
            8.424_045_901_417_724,
            5.214_515_986_823_615,
            1.0,
        ],
        under: &[
            0.000_571_323_128_072_548_7,
            0.068_845_590_875_449_54,
            1.105_142_326_340_617,
            5.073_863_861_286_015,
            8.399_855_543_276_042,
            5.209_828_486_823_619,
            1.0,
        ],
    },
    odd: Fit {
        over: &[
            0.051_086_259_475_017_66,
            4.982_138_729_512_334,
            75.823_828_413_254_53,
            366.779_609_360_150_8,
            710.856_304_998_926_1,
            597.489_612_400_613_6,
            211.688_757_100_572_13,
            25.207_020_585_802_372,
        ],
        under: &[
            74.237_327_703_567_52,
            1_056.448_860_382_628_3,
            4_986.410_583_376_536,
            9_562.318_924_047_562,
            7_997.041_604_473_507,
            2_826.192_785_176_390_8,
            336.093_607_810_698_3,
        ],
    },
    first: Fit {
        over: &[
            -899_971_225.705_559_4,
            452_228_297_998.194_03,
            -72_749_424_522_181.83,
            3_682_957_328_638_529.0,
        ],
        under: &[
            620.836_478_118_054_3,
            256_987.256_757_748_84,
            83_514_679.143_194_93,
            22_151_159_547.979_25,
            4_749_141_220_799.914,
            784_369_607_876_235.9,
            8.952_223_361_846_274e+16,
            5.322_786_203_326_801e+18,
        ],
    },
    zeros: [14.681_970_642_123_893, 49.218_456_321_694_6],
    second: Fit {
        over: &[
            1_263_204_747.901_780_4,
            -647_355_876_379.160_3,
            114_509_511_541_823.73,
            -8_127_702_555_013_251.0,
            2.024_394_757_135_949e+17,
            -7.788_771_962_659_501e+17,
        ],
        under: &[
            594.301_592_346_128_2,
            235_564.092_943_068_56,
            73_481_194.445_972_17,
            18_760_131_610.870_617,
            3_882_312_774_962.385_7,
            620_557_727_146_953.8,
            6.871_410_873_553_005e+16,
            3.972_706_081_165_606_4e+18,
        ],
    },
};

/// A fit at `x`.
fn quotient(cx: &mut Cx<'_, '_>, x: ValueId, fit: &Fit) -> Value {
    let rising = |it: &[f64]| -> Vec<f64> { it.iter().rev().copied().collect() };
    let over = polynomial(cx, x, &rising(fit.over))?;
    let under = polynomial(cx, x, &rising(fit.under))?;
    cx.zip(F::Div, over, under)
}

/// `sqrt(2 / (π x))` times the waves of the asymptotic expansion.
fn far(cx: &mut Cx<'_, '_>, x: ValueId, order: &Order, second: bool) -> Value {
    let border = cx.full_like(x, float(BORDER))?;
    let step = cx.zip(F::Div, border, x)?;
    let square = cx.zip(F::Mul, step, step)?;
    let (even, odd) = (quotient(cx, square, &order.even)?, quotient(cx, square, &order.odd)?);
    let odd = cx.zip(F::Mul, step, odd)?;
    let turn = std::f64::consts::FRAC_PI_4 * f64::from(1 + 2 * order.n);
    let phase = number(cx, F::Sub, x, turn)?;
    let (cos, sin) = (cx.map(F::Cos, phase)?, cx.map(F::Sin, phase)?);
    let (a, b) = if second { (sin, cos) } else { (cos, sin) };
    let (even, odd) = (cx.zip(F::Mul, even, a)?, cx.zip(F::Mul, odd, b)?);
    let wave = cx.zip(if second { F::Add } else { F::Sub }, even, odd)?;
    let wave = number(cx, F::Mul, wave, (2.0 / std::f64::consts::PI).sqrt())?;
    let root = cx.map(F::Sqrt, x)?;
    cx.zip(F::Div, wave, root)
}

/// The first kind near zero, for `x` that is not negative.
fn near(cx: &mut Cx<'_, '_>, x: ValueId, order: &Order) -> Value {
    let square = cx.zip(F::Mul, x, x)?;
    let mut res = quotient(cx, square, &order.first)?;
    for zero in order.zeros {
        let distance = number(cx, F::Sub, square, zero)?;
        res = cx.zip(F::Mul, res, distance)?;
    }
    match order.n {
        0 => Ok(res),
        _ => cx.zip(F::Mul, res, x),
    }
}

/// `J_n`: even for order 0, odd for order 1.
fn first_kind(cx: &mut Cx<'_, '_>, x: ValueId, order: &Order) -> Value {
    let size = cx.map(F::Abs, x)?;
    let (near, far) = (near(cx, size, order)?, far(cx, size, order, false)?);
    let is_near = number(cx, F::Le, size, BORDER)?;
    let res = cx.select(is_near, near, far)?;
    if order.n == 0 {
        return Ok(res);
    }
    let negative = cx.map(F::Neg, res)?;
    let left = number(cx, F::Lt, x, 0.0)?;
    cx.select(left, negative, res)
}

/// `Y_n`: minus infinity at 0, NaN below.
fn second_kind(cx: &mut Cx<'_, '_>, x: ValueId, order: &Order) -> Value {
    let square = cx.zip(F::Mul, x, x)?;
    let mut fit = quotient(cx, square, &order.second)?;
    let log = cx.map(F::Log, x)?;
    let own = near(cx, x, order)?;
    let mut product = cx.zip(F::Mul, log, own)?;
    if order.n == 1 {
        fit = cx.zip(F::Mul, x, fit)?;
        let pole = cx.map(F::Reciprocal, x)?;
        product = cx.zip(F::Sub, product, pole)?;
    }
    let product = number(cx, F::Mul, product, 2.0 / std::f64::consts::PI)?;
    let near = cx.zip(F::Add, fit, product)?;
    let far = far(cx, x, order, true)?;
    let is_near = number(cx, F::Le, x, BORDER)?;
    let res = cx.select(is_near, near, far)?;
    let zero = number(cx, F::Eq, x, 0.0)?;
    let res = where_number(cx, zero, f64::NEG_INFINITY, res)?;
    let below = number(cx, F::Lt, x, 0.0)?;
    where_number(cx, below, f64::NAN, res)
}

pub(super) fn j0(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    first_kind(cx, x, &ORDER_0)
}

pub(super) fn j1(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    first_kind(cx, x, &ORDER_1)
}

pub(super) fn y0(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    second_kind(cx, x, &ORDER_0)
}

pub(super) fn y1(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    second_kind(cx, x, &ORDER_1)
}
