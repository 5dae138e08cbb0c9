import numpy as np
import pytest
import tensorflow as tf

from tests.embed.encoder.encoder_cases import TEXTS, encoder
from tfplm.embed import SentenceEncoder, Whitening
from tfplm.embed.encoder.whitening import Moments


def vectors(count=400, size=8, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) + 100 * rng.normal(size=size)).astype(np.float32)


def test_mean_zero_covariance_identity():
    white = Whitening.fit(x := vectors()).apply(x)
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(white.T), np.eye(8), atol=2e-3)


def test_as_in_the_paper():
    """u, s, vh = svd(cov); W = u diag(1 / sqrt(s)): the columns are equal up to sign."""
    x = vectors().astype(np.float64)
    u, s, _ = np.linalg.svd(np.cov(x.T))
    expected = u @ np.diag(1 / np.sqrt(s))
    kernel = Whitening.fit(x, 5).kernel
    assert kernel.shape == (8, 5)
    np.testing.assert_allclose(np.abs(kernel), np.abs(expected[:, :5]), rtol=1e-4)


def test_in_batches():
    x, moments = vectors(), Moments()
    for start in range(0, 400, 37):
        moments.update(x[start:start + 37])
    moments.update(x[:0])
    np.testing.assert_allclose(moments.mean, x.astype(np.float64).mean(0), rtol=1e-9)
    np.testing.assert_allclose(moments.covariance, np.cov(x.astype(np.float64).T), rtol=1e-7)
    np.testing.assert_array_equal(Whitening.fit(tf.constant(x)).kernel, Whitening.fit(x).kernel)
    whole, parts = Whitening.fit(x), Whitening.fit(x[start:start + 90] for start in range(0, 400, 90))
    np.testing.assert_allclose(np.abs(parts.kernel), np.abs(whole.kernel), rtol=1e-4)


def test_saving_and_loading(tmp_path):
    made = Whitening.fit(vectors(), 3)
    made.save(tmp_path / "w.npz")
    loaded = Whitening.load(tmp_path / "w.npz")
    np.testing.assert_array_equal(loaded.kernel, made.kernel)
    np.testing.assert_array_equal(loaded.mean, made.mean)
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]


def test_attached_to_an_encoder(tmp_path):
    made = encoder(tmp_path)
    plain = made.encode(TEXTS)
    made.whitening = Whitening.fit(plain, 4)
    assert made.dimension == 4
    np.testing.assert_allclose(made.encode(TEXTS), made.whitening.apply(plain), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(made.encode(TEXTS, normalize=True), axis=1), 1, atol=1e-5)
    made.save_pretrained(tmp_path / "saved")
    loaded = SentenceEncoder.from_pretrained(tmp_path / "saved")
    assert loaded.dimension == 4
    np.testing.assert_allclose(loaded.encode(TEXTS), made.encode(TEXTS), atol=1e-3)


def test_fitted_on_texts(tmp_path, monkeypatch):
    import tfplm.embed.encoder.sentence_encoder as module

    made = encoder(tmp_path)
    expected = Whitening.fit(made.encode(TEXTS), 3)
    monkeypatch.setattr(module, "POOL", 4)
    fitted = made.fit_whitening(iter(TEXTS), 3)
    np.testing.assert_allclose(np.abs(fitted.kernel), np.abs(expected.kernel), rtol=1e-3)
    assert made.whitening is fitted


def test_fewer_vectors_than_dimensions(caplog):
    made = Whitening.fit(vectors(5))
    assert made.dimension == 4 and "vary in only 4 of 8 dimensions" in caplog.text
    with pytest.raises(ValueError, match="vary in 4 dimensions, too few for 6 components"):
        Whitening.fit(vectors(5), 6)


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="at least 2 vectors"):
        Whitening.fit(vectors(1))
    with pytest.raises(ValueError, match="vary in 0 dimensions, too few for 1 components"):
        Whitening.fit(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"vectors \[N,H\], found an array of shape \(8,\)"):
        Whitening.fit(vectors()[:1].reshape(-1))
    with pytest.raises(ValueError, match="vectors of 8 numbers, found 7"):
        Whitening.fit(vectors()).apply(np.ones((2, 7)))
    np.save(tmp_path / "x.npy", vectors())
    with pytest.raises(ValueError, match="is not a whitening"):
        Whitening.load(tmp_path / "x.npy")
    np.savez(tmp_path / "x.npz", mean=np.array([object()], object), kernel=np.ones((1, 1)))
    with pytest.raises(ValueError, match="is not a whitening"):
        Whitening.load(tmp_path / "x.npz")


@pytest.mark.parametrize("number", [0, -1, -6, 9, 1000, 2.0, 2.5, "3", True, float("nan")])
def test_numbers_of_components(tmp_path, number):
    with pytest.raises(ValueError, match="n_components is .*; expected a whole number from 1 to 8, the size of the"):
        Whitening.fit(vectors(), number)
    made = encoder(tmp_path)
    made.whitening = before = Whitening.fit(vectors(size=12))
    with pytest.raises(ValueError, match="n_components"):  # before any text is encoded, and the whitening stays
        made.fit_whitening(iter([]), number if number != 9 else 13)
    assert made.whitening is before
    assert Whitening.fit(vectors(), np.int64(3)).dimension == 3


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite(number):
    x = vectors()
    x[303, 2] = number
    for given in (x, [x[:200], x[200:]]):
        with pytest.raises(ValueError, match="vector 303 contains NaN or infinite numbers; expected finite ones"):
            Whitening.fit(given)


def test_vectors_of_different_encoders():
    with pytest.raises(ValueError, match="the vectors have 7 components, but earlier ones 8; expected vectors of one"):
        Whitening.fit([vectors(), vectors(size=7)])
