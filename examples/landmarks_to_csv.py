"""Track a clip and print one line per face and frame: time, slot, yaw, pitch, roll, mouth gap.

python examples/landmarks_to_csv.py clip.mp4 > faces.csv
"""

import sys

import numpy as np

from kfx import sources
from kfx.tracking.pose import yaw_pitch_roll
from kfx.tracking.tracker import Tracker

if len(sys.argv) != 2:
    sys.exit(__doc__)
print("time_s,slot,yaw_deg,pitch_deg,roll_deg,mouth_gap_iod")
with sources.open(sys.argv[1]) as source, Tracker() as tracker:
    for frame in source.frames():
        for face in tracker.track(frame):
            yaw, pitch, roll = yaw_pitch_roll(face.pose)
            gap = np.linalg.norm(face.landmarks[13] - face.landmarks[14]) / face.iod
            print(f"{float(frame.time):.4f},{face.slot},{yaw:.1f},{pitch:.1f},{roll:.1f},{gap:.3f}")
