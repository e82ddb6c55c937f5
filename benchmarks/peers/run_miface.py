"""adversarial-robustness-toolbox: MIFace, with the settings that it comes with, from the mean photo and from zeros."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from art.attacks.inference.model_inversion import MIFace
from art.estimators.classification import PyTorchClassifier

torch.set_num_threads(1)
home = Path(sys.argv[1])
with np.load(home / "faces.npz") as file:
    held = dict(file)
width, classes = held["w0"].shape[1], len(held["w1"])
module = torch.nn.Sequential(
    torch.nn.Linear(width, len(held["w0"])), torch.nn.ReLU(), torch.nn.Linear(len(held["w0"]), classes)
)
with torch.no_grad():
    for place, layer in ((0, module[0]), (1, module[2])):
        layer.weight.copy_(torch.as_tensor(held[f"w{place}"]))
        layer.bias.copy_(torch.as_tensor(held[f"b{place}"]))
made, seconds = {}, {}
for output in ("probabilities", "logits"):
    shown = torch.nn.Sequential(*module, torch.nn.Softmax(dim=1)) if output == "probabilities" else module
    estimator = PyTorchClassifier(shown, torch.nn.CrossEntropyLoss(), (width,), classes, clip_values=(0.0, 1.0))
    for start, x in (("mean", held["mean"]), ("zeros", np.zeros(width, dtype=np.float32))):
        before = time.process_time()
        attack = MIFace(estimator, max_iter=int(held["steps"]), threshold=0.999, verbose=False)
        made[f"{output} {start}"] = attack.infer(np.tile(x, (classes, 1)).astype(np.float32), np.arange(classes))
        seconds[f"{output} {start}"] = time.process_time() - before
np.savez(home / "miface.npz", **made)
print(json.dumps({"cpu": seconds}))
