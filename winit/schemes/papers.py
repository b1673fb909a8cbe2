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
POOLE = Paper(
    "Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli",
    2016,
    "Exponential expressivity in deep neural networks through transient chaos",
    "NeurIPS",
)
KUMAR = Paper("Kumar", 2017, "On weight initialization in deep neural networks", "arXiv:1704.08863")
SCHOENHOLZ = Paper("Schoenholz, Gilmer, Ganguli & Sohl-Dickstein", 2017, "Deep information propagation", "ICLR")
DAUPHIN = Paper("Dauphin & Schoenholz", 2019, "MetaInit: initializing learning by learning to initialize", "NeurIPS")
BINGHAM = Paper(
    "Bingham & Miikkulainen", 2021, "AutoInit: analytic signal-preserving weight initialization", "arXiv:2109.08958"
)
YANG = Paper("Yang & Hu", 2021, "Feature learning in infinite-width neural networks", "arXiv:2011.14522")
ZHU = Paper("Zhu et al.", 2021, "GradInit: learning to initialize neural networks", "arXiv:2102.08098")
ZHAO = Paper(
    "Zhao, Schäfer & Anandkumar",
    2022,
    "ZerO initialization: initializing neural networks with only zeros and ones",
    "arXiv:2110.12661",
)
