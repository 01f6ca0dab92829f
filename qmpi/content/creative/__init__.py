"""The content type `creative`: stories, scenes, verse over a simulated story world."""
