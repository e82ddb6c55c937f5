"""adversarial-robustness-toolbox: shadow models, and its black-box attack with a random forest."""

import sys

import numpy as np
from art.attacks.inference.membership_inference import MembershipInferenceBlackBox, ShadowModels
from art.estimators.classification.scikitlearn import SklearnClassifier
from task import Clock, load

task = load(sys.argv[1])
one_hot = np.eye(10)[task.y]
target = SklearnClassifier(task.model)
clock = Clock()
with clock.part("training"):  # and the shadow models' own answers, which it asks for at once
    fleet = ShadowModels(target, num_shadow_models=task.shadows, random_state=0)
    (inside, inside_y, inside_p), (outside, outside_y, outside_p) = fleet.generate_shadow_dataset(task.X, one_hot)
with clock.part("scoring"):
    attack = MembershipInferenceBlackBox(target, attack_model_type="rf")
    attack.fit(inside, inside_y, outside, outside_y, inside_p, outside_p)
    answers = attack.infer(task.X, one_hot, probabilities=True)
clock.finish(task, {"black box, random forest": np.asarray(answers).reshape(len(task.y), -1)[:, -1]})
