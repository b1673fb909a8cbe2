"""The papers that proposed the schemes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A paper.

    Attributes:
        authors: their surnames.
        year: in which it appeared.
        title: its title.
        where: venue, or arXiv number.
    """

    authors: str
    year: int
    title: str
    where: str

    @property
    def reference(self) -> str:
        """The paper in one line, without its year."""
        return f"{self.authors}: {self.title}. {self.where}"


LECUN = Paper("LeCun, Bottou, Orr & Müller", 1998, "Efficient BackProp", "Neural Networks: Tricks of the Trade")
GLOROT = Paper(
    "Glorot & Bengio", 2010, "Understanding the difficulty of training deep feedforward neural networks", "AISTATS"
)
MARTENS = Paper("Martens", 2010, "Deep learning via Hessian-free optimization", "ICML")
SAXE = Paper(
    "Saxe, McClelland & Ganguli",
    2014,
    "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    "arXiv:1312.6120",
)
SUSSILLO = Paper(
    "Sussillo & Abbott",
    2014,
    "Random walk initialization for training very deep feedforward networks",
    "arXiv:1412.6558",
)
HE = Paper("He, Zhang, Ren & Sun", 2015, "Delving deep into rectifiers", "ICCV")
LE = Paper(
    "Le, Jaitly & Hinton",
    2015,
    "A simple way to initialize recurrent networks of rectified linear units",
    "arXiv:1504.00941",
)
MISHKIN = Paper("Mishkin & Matas", 2016, "All you need is a good init", "arXiv:1511.06422")
SALIMANS = Paper(
    "Salimans & Kingma",
    2016,
    "Weight normalization: a simple reparameterization to accelerate training of deep neural networks",
    "NeurIPS",
)
POOLE = Paper(
    "Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli",
    2016,
    "Exponential expressivity in deep neural networks through transient chaos",
    "NeurIPS",
)
KUMAR = Paper("Kumar", 2017, "On weight initialization in deep neural networks", "arXiv:1704.08863")
SCHOENHOLZ = Paper("Schoenholz, Gilmer, Ganguli & Sohl-Dickstein", 2017, "Deep information propagation", "ICLR")
BALDUZZI = Paper(
    "Balduzzi, Frean, Leary, Lewis, Ma & McWilliams",
    2017,
    "The shattered gradients problem: if resnets are the answer, then what is the question?",
    "ICML",
)
DAUPHIN = Paper("Dauphin & Schoenholz", 2019, "MetaInit: initializing learning by learning to initialize", "NeurIPS")
LU_RAI = Paper(
    "Lu, Shin, Su & Karniadakis",
    2019,
    "Dying ReLU and initialization: theory and numerical examples",
    "arXiv:1903.06733",
)
LU_GPN = Paper("Lu, Gould & Ajanthan", 2020, "Bidirectionally self-normalizing neural networks", "arXiv:2006.12169")
BINGHAM = Paper(
    "Bingham & Miikkulainen", 2021, "AutoInit: analytic signal-preserving weight initialization", "arXiv:2109.08958"
)
BROCK = Paper(
    "Brock, De & Smith",
    2021,
    "Characterizing signal propagation to close the performance gap in unnormalized ResNets",
    "arXiv:2101.08692",
)
MARTENS_DKS = Paper(
    "Martens et al.",
    2021,
    "Rapid training of deep neural networks without skip connections or normalization layers using deep kernel shaping",
    "arXiv:2110.01765",
)
YANG = Paper("Yang & Hu", 2021, "Feature learning in infinite-width neural networks", "arXiv:2011.14522")
ZHU = Paper("Zhu et al.", 2021, "GradInit: learning to initialize neural networks", "arXiv:2102.08098")
ZHAO = Paper(
    "Zhao, Schäfer & Anandkumar",
    2022,
    "ZerO initialization: initializing neural networks with only zeros and ones",
    "arXiv:2110.12661",
)
HE_JACOBIAN = Paper(
    "He, Doshi & Gromov", 2022, "AutoInit: automatic initialization via Jacobian tuning", "arXiv:2206.13568"
)
YILMAZ = Paper(
    "Yilmaz & Poli",
    2022,
    "Successfully and efficiently training deep multi-layer perceptrons with logistic activation function simply requires "
    "initializing the weights with an appropriate negative mean",
    "Neural Networks 153",
)
ZHANG = Paper(
    "Zhang, Botev & Martens",
    2022,
    "Deep learning without shortcuts: shaping the kernel with tailored rectifiers",
    "ICLR",
)
SPECTRAL = Paper("Yang, Simon & Bernstein", 2023, "A spectral condition for feature learning", "arXiv:2310.17813")
FERNANDEZ = Paper(
    "Fernández-Hernández, Mestre, Dolz, Duato & Quintana-Ortí",
    2025,
    "Sinusoidal initialization, time for a new start",
    "NeurIPS, arXiv:2505.12909",
)
LEE = Paper(
    "Lee, Choi & Kim",
    2025,
    "Robust weight initialization for tanh neural networks with fixed point analysis",
    "ICLR, arXiv:2410.02242",
)
