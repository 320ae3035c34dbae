print("remora")
