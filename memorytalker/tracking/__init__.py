"""A face in video: frames, the landmarks of the face in them, and the curves and turns of the head that these show."""
