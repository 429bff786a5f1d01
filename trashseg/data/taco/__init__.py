"""TACO: its photos fetched, its categories mapped by a table, a COCO folder made of them."""
