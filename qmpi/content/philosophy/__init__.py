"""The content type `philosophy`: arguments over claims, and what stands against them."""
