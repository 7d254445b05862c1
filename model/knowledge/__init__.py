"""What a shop's gold and its people teach beyond single pictures: brands, gift sets, elements, words of a season."""
