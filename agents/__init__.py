"""Who acts: vectorised populations, the Mesa model over them, the world step."""
