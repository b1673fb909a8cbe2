"""The corruption of denoising autoencoders: its share, standard deviation and streams."""

from __future__ import annotations

import pytest
import torch

from winit.engine.corruption import Corruption, InputNoise


def test_masking_hides_a_share_and_gaussian_noise_has_its_deviation():
    x = torch.ones(2, 200, 300)
    for corruption, share, deviation in (
        (Corruption("masking", 0.25), 0.25, None),
        (Corruption("gaussian", 0.3), 0, 0.3),
    ):
        noise = InputNoise(corruption, seeds=[1, 2])
        seen = noise.corrupted(x).clone()
        # 60,000 draws a network: four standard errors are 0.7 % of the share and 1.2 % of the deviation.
        assert (seen[0] == 0).float().mean().item() == pytest.approx(share, abs=0.0075)
        if deviation:
            assert (seen[0] - x[0]).std().item() == pytest.approx(deviation, rel=0.012)
        assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen, noise.corrupted(x))


@pytest.mark.parametrize(
    ("make_it", "sentence"),
    [
        (lambda: Corruption("salt", 0.1), "corruption: got 'salt'; choose from masking, gaussian"),
        (lambda: Corruption("masking", 1), "corruption: got 1 for masking; allowed is a number from 0 to below 1"),
        (lambda: Corruption("gaussian", -1), "corruption: got -1 for gaussian; allowed is a number at least 0"),
    ],
)
def test_bad_settings_are_refused(make_it, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        make_it()
