document.getElementById("arriving").submit();
