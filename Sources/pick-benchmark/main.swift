print("picks")
