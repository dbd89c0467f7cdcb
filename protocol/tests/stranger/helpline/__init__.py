"""What a team that has never seen the audio system writes on the layer."""
