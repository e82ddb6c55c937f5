"""keepmum's own list of what a ``.skops`` file may hold, beyond skops' defaults. It never comes from the file.

Each entry was read for what it can do when it is built and asked: no files, no network, no code from the file. The
types that hold node indices are listed too, because `_trees` and `_native` check those before they are used.
"""

from __future__ import annotations

_KERNELS = (
    "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Hyperparameter Matern Product RBF "
    "RationalQuadratic Sum WhiteKernel"
)
_DISTANCES = "ChebyshevDistance EuclideanDistance HammingDistance ManhattanDistance MinkowskiDistance"
_SPLITTERS = (
    "GroupKFold KFold RepeatedKFold RepeatedStratifiedKFold ShuffleSplit StratifiedKFold StratifiedShuffleSplit"
)
_UNIVARIATE = "chi2 f_classif f_regression"


def _each(module: str, names: str, suffix: str = "") -> set[str]:
    return {f"{module}.{name}{suffix}" for name in names.split()}


ALLOWED_TYPES: frozenset[str] = frozenset(
    {
        "builtins.object",
        "collections.OrderedDict",
        "collections.defaultdict",
        "functools.partial",
        "keepmum.training.private_logistic.PrivateLogisticRegression",
        "keepmum.training.statement.Statement",
        "numpy.dtype",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.compose._column_transformer._RemainderColsList",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.metrics._classification.accuracy_score",
        "sklearn.metrics._classification.balanced_accuracy_score",
        "sklearn.metrics._classification.f1_score",
        "sklearn.metrics._scorer._CurveScorer",
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.metrics._scorer._Scorer",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils._metadata_requests.MetadataRequest",
        "sklearn.utils._metadata_requests.MethodMetadataRequest",
        "sklearn.utils.validation.check_array",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
        "xgboost.sklearn.XGBRegressor",
    }
    | _each("sklearn.gaussian_process.kernels", _KERNELS)
    | _each("sklearn.metrics._dist_metrics", _DISTANCES, "64")
    | _each("sklearn.model_selection._split", _SPLITTERS)
    | _each("sklearn.feature_selection._univariate_selection", _UNIVARIATE)
)

_LOADERS = (
    "BytearrayNode BytesNode CachedNode ConstructorFromReduceNode DTypeNode DefaultDictNode DictNode FunctionNode "
    "JsonNode ListNode LossNode MaskedArrayNode NdArrayNode ObjectNode PartialNode RandomGeneratorNode "
    "RandomStateNode SetNode SliceNode SparseMatrixNode TreeNode TupleNode TypeNode"
)
ALLOWED_LOADERS: frozenset[str] = frozenset(_LOADERS.split())
"""The building blocks of the format that models need; methods and operators, which could be called, are not."""
